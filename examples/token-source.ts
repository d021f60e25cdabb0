// A token source of your own: it asks a token broker that answers as Google's metadata server does.
//
//   tokenSources:
//     broker:
//       type: module
//       path: token-source.ts
//       options: { url: "https://broker.example.com/token", tokenFile: /run/secrets/broker-token }
//
// Node.js runs it as it is: types are stripped. Nothing has to be imported but types, so it works from any directory.
import { readFile } from "node:fs/promises";
import type { CustomTokenSource, TokenSourceContext } from "sops-keyd";

interface Options {
  /** Asked with `?scopes=…`. */
  readonly url: string;
  /** Holds what the broker knows us by; read anew each time, so that it can be changed without a restart. */
  readonly tokenFile: string;
}

export function createTokenSource(
  options: Readonly<Record<string, unknown>>,
  context: TokenSourceContext,
): CustomTokenSource {
  const { url, tokenFile } = parseOptions(options);
  return {
    // Called once for each refresh, however many callers wait; it need not cache, retry or set a deadline of its own.
    async fetchToken(signal) {
      const asked = new URL(url);
      asked.searchParams.set("scopes", context.scope);
      const headers = {
        authorization: `Bearer ${await readOwnToken(tokenFile, context)}`,
        "metadata-flavor": "Google",
      };
      const requestedAtMs = context.clock.nowMs();
      // The signal ends the request where nobody waits for it any more.
      const response = await fetch(asked, { headers, redirect: "manual", signal });
      if (response.status >= 500) {
        throw context.createError("credential_unavailable", {
          problem: `the token broker answered with HTTP ${response.status}`,
          remedy: "try again; ask the broker's team where it lasts",
        });
      }
      if (response.status !== 200) {
        throw context.createError("credential_rejected", {
          problem: `the token broker refused us (HTTP ${response.status})`,
          remedy: `check what is in ${tokenFile}`,
        });
      }
      // What is no JSON throws here; only the error's name is then shown, never what it quotes.
      const answer = JSON.parse(await response.text());
      return {
        accessToken: answer.access_token,
        expiresAtMs: requestedAtMs + answer.expires_in * 1000,
        steps: [`token broker ${asked.host}`],
      };
    },
  };
}

function parseOptions({ url, tokenFile }: Readonly<Record<string, unknown>>): Options {
  if (typeof url === "string" && typeof tokenFile === "string") return { url, tokenFile };
  throw new TypeError("the options are url and tokenFile");
}

async function readOwnToken(path: string, context: TokenSourceContext): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    // A chain then asks the next source.
    throw context.createError("credential_missing", { problem: `${path} cannot be read`, cause });
  }
}
