import { KeyServiceError, toPrintableLine } from "../core/errors.ts";
import type { HeldToken, Token } from "./token.ts";

/** RFC 6750 has fewer characters still; these can stand in a header without changing it. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * A token that may be held: it can be sent at all (else each call would fail as if Cloud KMS could not be reached), and
 * what it says of itself can be shown and recorded: a credential file or a module may have put anything there.
 *
 * @throws KeyServiceError `credential_unavailable`
 */
export function toHeldToken({ principal, ...token }: Token, generation: number): HeldToken {
  if (TOKEN.test(token.accessToken.reveal())) {
    const who = principal === undefined ? {} : { principal: toPrintableLine(principal) };
    return { ...token, ...who, steps: token.steps.map(toPrintableLine), generation };
  }
  throw new KeyServiceError("credential_unavailable", {
    problem: "the token that came holds what cannot be in a token",
    remedy: "check that what answers is a token endpoint, and what stands between it and sops-keyd",
  });
}
