import { type CreateGet, createIssuerKeys, type IssuerKeys } from "../../../../src/access/jwt/issuer-keys.ts";
import { createJwtVerifier, type VerifiedJwt } from "../../../../src/access/jwt/verifier.ts";
import { JWT_ALGORITHMS, type JwtCallerConfig } from "../../../../src/config/jwt-caller.ts";
import { KeyServiceError } from "../../../../src/core/errors.ts";
import { Secret } from "../../../../src/core/secret.ts";
import { createTokenRequests } from "../../../../src/credentials/token-request.ts";
import { createFakeClock, type FakeClock } from "../../../fakes/clock.ts";

export const AUDIENCE = "sops-keyd";

/** A caller that takes what the issuer signs for `repo: acme/app`, as changed. */
export function jwtCaller(issuer: string, changes: Partial<JwtCallerConfig> = {}): JwtCallerConfig {
  return {
    kind: "jwt",
    issuer,
    audience: AUDIENCE,
    claims: new Map([["repo", ["acme/app"]]]),
    algorithms: JWT_ALGORITHMS,
    keys: { kind: "discovery", caFile: undefined, tokenFile: undefined },
    maxAgeMs: 86_400_000,
    ...changes,
  };
}

export interface VerifierSetUp {
  readonly clock: FakeClock;
  readonly warnings: string[];
  verify(token: string): Promise<VerifiedJwt>;
  /** The error of a token that is refused; fails where it is taken. */
  refusal(token: string): Promise<KeyServiceError>;
}

interface SetUpOptions {
  readonly createGet?: CreateGet;
  readonly clock?: FakeClock;
  readonly issuerKeys?: IssuerKeys;
}

/** Stands still at the present, which is what real issuers' tokens are of. */
export function createPresentClock(): FakeClock {
  return createFakeClock({ startMs: Math.floor(Date.now() / 1000) * 1000 });
}

/** A verifier over real requests, on a clock that the test turns from the present on. */
export function setUpVerifier(
  callers: Readonly<Record<string, JwtCallerConfig>>,
  {
    createGet = (caFile) => createTokenRequests(caFile),
    clock = createPresentClock(),
    issuerKeys = createIssuerKeys(clock),
  }: SetUpOptions = {},
): VerifierSetUp {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const verifier = createJwtVerifier(new Map(Object.entries(callers)), { clock, createGet, issuerKeys, warn });
  const verify = (token: string) => verifier(new Secret(token), new AbortController().signal);
  return { clock, warnings, verify, refusal: (token) => refusalOf(verify(token)) };
}

export async function refusalOf(attempt: Promise<unknown>): Promise<KeyServiceError> {
  try {
    await attempt;
  } catch (thrown) {
    if (thrown instanceof KeyServiceError) return thrown;
    throw thrown;
  }
  throw new Error("it was taken");
}
