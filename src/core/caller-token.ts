import type { Secret } from "./secret.ts";

/** A caller's own token, verified: it may be exchanged for one of Google's. Good for as long as its call lasts. */
export interface CallerToken {
  readonly text: Secret;
  /** SHA-256 of the text, base64url: who has another token is another caller, whatever it says. */
  readonly id: string;
  /** Wall clock; not taken after that, so nothing that was made of it is handed out either. */
  readonly expiresAtMs: number;
}
