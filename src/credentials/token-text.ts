import { KeyServiceError } from "../core/errors.ts";
import type { Token } from "./token.ts";

/** RFC 6750 has fewer characters still; these can stand in a header without changing it. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Sees to it, before a token is held, that it can be sent at all: else each call would fail as if Cloud KMS could not be
 * reached.
 *
 * @throws KeyServiceError `credential_unavailable`
 */
export function checkTokenText({ accessToken }: Token): void {
  if (TOKEN.test(accessToken.reveal())) return;
  throw new KeyServiceError("credential_unavailable", {
    problem: "the token that came holds what cannot be in a token",
    remedy: "check that what answers is a token endpoint, and what stands between it and sops-keyd",
  });
}
