import { Secret } from "../core/secret.ts";

/** An HTTP proxy that connections are tunnelled through. */
export interface HttpProxy {
  /** Such as `http://proxy.example:3128`: without user and password. */
  readonly origin: string;
  /** For messages: name or address, and port. */
  readonly host: string;
  /** What goes into `Proxy-Authorization`. */
  readonly authorization: Secret | undefined;
}

const EXPECTED = "expected the URL of an http or https proxy, such as http://proxy.example:3128";

/** The proxy, or in words what was expected (never the text itself: it may hold a password). */
export function parseProxy(text: string): HttpProxy | string {
  // As with curl and Go, a bare host and port is an http proxy.
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === "") return EXPECTED;
  if (url.protocol !== "http:" && url.protocol !== "https:") return `${EXPECTED}; other kinds are not supported`;
  if (url.pathname !== "/" || /[?#]/.test(text)) return `${EXPECTED}, with no path behind it`;
  const { username, password } = url;
  const isAnonymous = username === "" && password === "";
  return { origin: url.origin, host: url.host, authorization: isAnonymous ? undefined : toBasic(username, password) };
}

function toBasic(username: string, password: string): Secret {
  return new Secret(`Basic ${Buffer.from(`${decode(username)}:${decode(password)}`).toString("base64")}`);
}

/** A lone `%` in a password means itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const VARIABLE = /^env:([A-Za-z_][A-Za-z0-9_]{0,63})$/;

/** How a rule's connections go: past every proxy, by one that is named, or by one that a variable names. */
export type ProxyConfig =
  | { readonly kind: "none" }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "env"; readonly variable: string };

/** What a rule's `kms.proxy` says, or in words what was expected. */
export function parseProxySetting(text: string): ProxyConfig | string {
  if (text === "none") return { kind: "none" };
  const variable = VARIABLE.exec(text)?.[1];
  if (variable !== undefined) return { kind: "env", variable };
  if (text.startsWith("env:")) return "expected the name of an environment variable after env:";
  const proxy = parseProxy(text);
  if (typeof proxy === "string") return `${proxy}, or none, or env:VARIABLE`;
  if (proxy.authorization !== undefined) {
    return "expected a URL without user and password: put it into an environment variable and write env:VARIABLE";
  }
  return { kind: "url", url: proxy.origin };
}
