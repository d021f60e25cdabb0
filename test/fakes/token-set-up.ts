import type { GoogleConfig, TokenSourceConfig } from "../../src/config/config.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { KeyServiceError } from "../../src/core/errors.ts";
import { createTokenSources } from "../../src/credentials/create.ts";
import type { HeldToken, TokenHolder } from "../../src/credentials/token.ts";
import { type CredentialFolder, createCredentialFolder, createEnvironment } from "./token-credentials.ts";
import { startTokenEndpoint, type TokenEndpoint } from "./token-endpoint.ts";

/** A token endpoint, a folder for credentials, and sources over both; everything goes with it. */
export interface TokenSetUp extends AsyncDisposable {
  readonly endpoint: TokenEndpoint;
  readonly folder: CredentialFolder;
  readonly warnings: string[];
  /** Sources as configured; failures are retried without waiting. */
  create(sources: Record<string, TokenSourceConfig>, options?: TokenSetUpOptions): (name: string) => TokenHolder;
}

export interface TokenSetUpOptions {
  readonly variables?: Record<string, string>;
  readonly google?: GoogleConfig;
  readonly clock?: Clock;
}

export async function setUpTokens(): Promise<TokenSetUp> {
  const endpoint = await startTokenEndpoint();
  const folder = await createCredentialFolder();
  const warnings: string[] = [];
  return {
    endpoint,
    folder,
    warnings,
    create(sources, options = {}) {
      const config = { tokenSources: new Map(Object.entries(sources)), google: options.google ?? endpoint.google };
      const environment = createEnvironment(options.variables);
      const warn = (message: string) => warnings.push(message);
      const created = createTokenSources(config, environment, options.clock ?? systemClock, warn, { random: () => 0 });
      return (name) => created.holderFor([name]);
    },
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export const getToken = (holder: TokenHolder): Promise<HeldToken> => holder.getToken(new AbortController().signal);

/** The error that a holder gives; fails where it gives a token. */
export async function getError(holder: TokenHolder): Promise<KeyServiceError> {
  try {
    await getToken(holder);
  } catch (error) {
    if (error instanceof KeyServiceError) return error;
    throw error;
  }
  throw new Error("a token was given");
}
