import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import type { ModuleSourceConfig } from "../../config/config.ts";
import { untilAborted } from "../../core/deadline.ts";
import { KeyServiceError } from "../../core/errors.ts";
import type { SourceContext } from "../source-context.ts";
import type { TokenSource } from "../token.ts";
import { type CreateTokenSource, createCheckedSource, createTokenSourceContext } from "./custom.ts";

/**
 * Tokens from a module of the user's own. It is loaded when the first token is asked for, once: Node.js keeps modules,
 * so a changed one is used after a restart.
 */
export function createModuleSource(name: string, config: ModuleSourceConfig, context: SourceContext): TokenSource {
  const title = `module ${basename(config.path)}`;
  let loading: Promise<TokenSource> | undefined;

  const load = async (): Promise<TokenSource> => {
    const create = await importFactory(config.path, title);
    const own = createTokenSourceContext(name, context);
    return createCheckedSource(name, title, await construct(() => create(config.options, own), title));
  };

  const join = (): Promise<TokenSource> => {
    if (loading !== undefined) return loading;
    loading = load();
    // What failed is tried again: the file may be there by then.
    loading.catch(() => {
      loading = undefined;
    });
    return loading;
  };

  return {
    name,
    async fetchToken(signal) {
      try {
        const source = await untilAborted(join(), signal);
        return await source.fetchToken(signal);
      } catch (error) {
        throw error instanceof KeyServiceError ? error.within({ source: name }) : error;
      }
    },
  };
}

async function importFactory(path: string, title: string): Promise<CreateTokenSource> {
  await mustExist(path);
  let exports: { readonly createTokenSource?: unknown };
  try {
    exports = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new KeyServiceError("credential_rejected", {
      problem: `${title} could not be loaded (${describe(cause)})`,
      remedy: `run node ${path} to see what is wrong with it`,
      cause,
    });
  }
  const { createTokenSource } = exports;
  if (typeof createTokenSource === "function") return createTokenSource as CreateTokenSource;
  throw new KeyServiceError("credential_rejected", {
    problem: `${title} does not export a function createTokenSource`,
    remedy: "export function createTokenSource(options, context) from it",
  });
}

async function mustExist(path: string): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new KeyServiceError("credential_missing", {
        problem: `there is no module ${path}`,
        remedy: "put it there, or correct path of the token source",
        cause,
      });
    }
  }
}

async function construct(create: () => ReturnType<CreateTokenSource>, title: string): Promise<unknown> {
  try {
    return await create();
  } catch (thrown) {
    if (thrown instanceof KeyServiceError) throw thrown;
    throw new KeyServiceError("credential_rejected", {
      problem: `createTokenSource of ${title} failed (${describe(thrown)})`,
      remedy: "check the options of this token source and the module",
      cause: thrown,
    });
  }
}

/** Names and codes; what a module writes into its messages is its own business, and may be a secret. */
function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "it threw no Error";
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.constructor.name;
  return /^[A-Za-z][A-Za-z0-9_]{0,59}$/.test(code) ? code : "Error";
}
