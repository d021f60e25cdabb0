/** What a failure says of the proxy, in words that go on from its host; undefined where it says nothing of it. */
export function describeProxyFailure(
  thrown: unknown,
): { readonly problem: string; readonly remedy: string } | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const status = /^Proxy response \((\d{3})\)/.exec(thrown.message)?.[1];
  if (status === "407") return { problem: "wants a user and a password (407)", remedy: AUTHORIZE };
  if (status !== undefined) return { problem: `refused the connection (${status})`, remedy: ALLOW };
  const code = "code" in thrown ? String(thrown.code) : "";
  return UNREACHED.has(code) ? { problem: `could not be reached (${code})`, remedy: CHECK } : undefined;
}

const AUTHORIZE =
  "put http://USER:PASSWORD@HOST:PORT into HTTPS_PROXY, or into a variable that kms.proxy names as env:VARIABLE";
const ALLOW = "have the proxy let CONNECT to this endpoint through, or go past it: kms.proxy: none, or NO_PROXY";
const CHECK = "check HTTPS_PROXY or kms.proxy of the rule, or go past the proxy: kms.proxy: none, or NO_PROXY";

/** Failures before there is a tunnel: beyond it there is no connecting and no looking up by us. */
const UNREACHED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_PRX_CONN",
  "UND_ERR_PRX_TLS",
]);
