import type { Clock } from "../../core/clock.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { ReadCredential } from "../credential-file.ts";
import type { TokenSource } from "../token.ts";

/**
 * An opaque token does not say when it expires: it is taken to be valid for a minute, so that what replaces it in
 * the file or variable is seen in time.
 */
export const ACCESS_TOKEN_LIFE_MS = 60_000;

/** A finished access token that somebody else puts into a file or variable and keeps fresh. */
export function createAccessTokenSource(name: string, read: ReadCredential, clock: Clock): TokenSource {
  return {
    name,
    async fetchToken() {
      const { text, origin } = await read();
      const accessToken = text.trim();
      // Anything else could not stand in an HTTP header, and is no token.
      if (!/^[\x21-\x7e]+$/.test(accessToken)) {
        throw new KeyServiceError("credential_rejected", {
          source: name,
          problem: `${origin} does not hold an access token`,
          remedy: "put the token alone into it, as gcloud auth print-access-token prints it",
        });
      }
      return {
        accessToken: new Secret(accessToken),
        expiresAtMs: clock.nowMs() + ACCESS_TOKEN_LIFE_MS,
        steps: [`access token from ${origin}`],
      };
    },
  };
}
