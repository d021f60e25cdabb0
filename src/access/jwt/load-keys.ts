import { isLoopbackHost } from "../../config/address.ts";
import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import { FileRefusedError, readBoundedFile } from "../../core/bounded-file.ts";
import { abortReason } from "../../core/deadline.ts";
import { KeyServiceError, toKeyServiceError } from "../../core/errors.ts";
import { withoutBrackets } from "../../core/host.ts";
import { parseJsonObject } from "../../core/json.ts";
import type { LoadKeys } from "./key-set.ts";

/** One GET over https, bounded in size and time; redirects are not followed. */
export type GetDocument = (
  request: { readonly method: "GET"; readonly url: URL; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly text: string }>;

/** Far above any key set; Google's has 3 KiB, Microsoft's 30. */
const MAX_FILE_BYTES = 256 * 1024;
/** Kubernetes answers 406 where its keys' own type is not accepted. */
const ACCEPTED = "application/json, application/jwk-set+json";
const DISCOVERY_PATH = "/.well-known/openid-configuration";

export function createFileLoader(path: string): LoadKeys {
  return () => readFile(path, "key set");
}

/**
 * The keys that the issuer publishes, found by its discovery document at each load: both may move.
 * https://openid.net/specs/openid-connect-discovery-1_0.html
 *
 * @param tokenFile holds a bearer token that both requests bring along: a Kubernetes API server asks for one
 */
export function createDiscoveryLoader(
  issuer: JwtCallerConfig["issuer"],
  tokenFile: string | undefined,
  get: GetDocument,
): LoadKeys {
  const discovery = new URL(`${issuer.replace(/\/$/, "")}${DISCOVERY_PATH}`);
  return async (signal) => {
    const headers = { accept: ACCEPTED, ...(await authorisation(tokenFile)) };
    const document = parseDocument(await fetchText(get, discovery, headers, issuer, signal), discovery);
    // OpenID Connect Discovery 4.3: else somebody who answers for one issuer could vouch for another.
    if (document.issuer !== issuer) throw unusable(discovery, "says that it is of another issuer");
    return fetchText(get, parseKeysUrl(document.jwks_uri, discovery), headers, issuer, signal);
  };
}

interface DiscoveryDocument {
  readonly issuer?: unknown;
  readonly jwks_uri?: unknown;
}

async function authorisation(tokenFile: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (tokenFile === undefined) return {};
  const token = (await readFile(tokenFile, "token file")).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return { authorization: `Bearer ${token}` };
  throw new KeyServiceError("issuer_unavailable", {
    problem: `token file ${tokenFile} does not hold a token`,
    remedy: "see what writes it, and tokenFile of the caller's jwt",
  });
}

async function fetchText(
  get: GetDocument,
  url: URL,
  headers: Readonly<Record<string, string>>,
  issuer: string,
  signal: AbortSignal,
): Promise<string> {
  const { status, text } = await ask(get, url, headers, issuer, signal);
  if (status === 200) return text;
  throw new KeyServiceError("issuer_unavailable", {
    problem: `the keys of issuer ${issuer} cannot be fetched: ${url.host} answered HTTP ${status}`,
    remedy:
      status === 401 || status === 403
        ? "this issuer wants to know who asks: set tokenFile in the caller's jwt, or keys"
        : "check the issuer in the config, and that it answers for its discovery document",
  });
}

async function ask(
  get: GetDocument,
  url: URL,
  headers: Readonly<Record<string, string>>,
  issuer: string,
  signal: AbortSignal,
): ReturnType<GetDocument> {
  try {
    return await get({ method: "GET", url, headers }, signal);
  } catch (thrown) {
    if (signal.aborted) throw abortReason(signal);
    const { problem } = toKeyServiceError(thrown).detail;
    throw new KeyServiceError("issuer_unavailable", {
      problem: `the keys of issuer ${issuer} cannot be fetched: ${problem.replace(/^token endpoint /, "")}`,
      remedy: "check the network from here to the issuer; a private CA is named by caFile of the caller's jwt",
      cause: thrown,
    });
  }
}

function parseDocument(text: string, url: URL): DiscoveryDocument {
  const document = parseJsonObject(text);
  if (document === undefined) throw unusable(url, "is not a JSON object");
  return document;
}

/** Clear text only where the issuer itself is on this machine: who can change the keys can be anybody. */
function parseKeysUrl(value: unknown, discovery: URL): URL {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || url.username !== "" || url.password !== "") throw unusable(discovery, "names no jwks_uri");
  const isLocal =
    url.protocol === "http:" && discovery.protocol === "http:" && isLoopbackHost(withoutBrackets(url.hostname));
  if (url.protocol !== "https:" && !isLocal) throw unusable(discovery, "names a jwks_uri that is not https");
  return url;
}

function unusable(url: URL, problem: string): KeyServiceError {
  return new KeyServiceError("issuer_unavailable", {
    problem: `the discovery document ${url.href} ${problem}`,
    remedy: "check the issuer in the config, or give its keys as a file",
  });
}

async function readFile(path: string, what: string): Promise<string> {
  try {
    return (await readBoundedFile(path, MAX_FILE_BYTES)).bytes.toString("utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new KeyServiceError("issuer_unavailable", {
      problem: `${what} ${path} cannot be read: ${cause instanceof FileRefusedError ? `it ${cause.message}` : code}`,
      remedy: "check the path in the config, and let the user that sops-keyd runs as read it",
      cause,
    });
  }
}
