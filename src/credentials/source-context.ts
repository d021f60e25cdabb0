import type { GoogleConfig } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import type { Clock } from "../core/clock.ts";
import type { CredentialDocument } from "./credential-document.ts";
import type { MintDependencies } from "./google-mint.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import type { Token, TokenScope } from "./token.ts";

/** What every token source is made of, besides its own config. */
export interface SourceContext extends MintDependencies {
  readonly google: GoogleConfig;
  /** What the tokens are for. */
  readonly scope: TokenScope;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly refreshTokens: RefreshTokens;
  /** For what an operator should know and no call fails of. */
  readonly warn: (message: string) => void;
}

/**
 * Makes one token from one credential.
 *
 * @param source the name that errors use
 * @throws KeyServiceError any credential code, or the signal's reason
 */
export type MintToken = (
  source: string,
  document: CredentialDocument,
  context: SourceContext,
  signal: AbortSignal,
) => Promise<Token>;
