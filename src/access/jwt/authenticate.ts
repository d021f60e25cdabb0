import type { CallerConfig } from "../../config/callers.ts";
import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import { Secret } from "../../core/secret.ts";
import { REMEDY_MALFORMED, refuseToken } from "./refusals.ts";
import { createJwtVerifier, type JwtVerifierOptions, type VerifiedJwt } from "./verifier.ts";

/**
 * Does `work` with what a call's `authorization` proves.
 *
 * @throws KeyServiceError as `VerifyJwt`, and what `work` throws
 */
export type Authenticate = <T>(
  authorization: Secret,
  signal: AbortSignal,
  work: (jwt: VerifiedJwt) => Promise<T>,
) => Promise<T>;

/**
 * A call that brings a token and whose token proves nothing is refused, also where it would need none: somebody meant
 * it to be known, and it is not.
 */
export function createAuthenticate(
  callers: ReadonlyMap<string, CallerConfig>,
  options: JwtVerifierOptions,
): Authenticate {
  const known = [...callers].flatMap(([name, caller]): readonly (readonly [string, JwtCallerConfig])[] =>
    caller.kind === "jwt" ? [[name, caller]] : [],
  );
  const verify = createJwtVerifier(new Map(known), options);
  return async (authorization, signal, work) => work(await verify(parseBearer(authorization), signal));
}

/** RFC 6750 2.1. The scheme is not case-sensitive; the rest is the verifier's to judge. */
function parseBearer(authorization: Secret): Secret {
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(authorization.reveal())?.[1];
  if (token === undefined) throw refuseToken("authorization is not one bearer token", REMEDY_MALFORMED);
  return new Secret(token);
}
