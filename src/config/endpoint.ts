import { withoutBrackets } from "../core/host.ts";
import { isLoopbackHost } from "./address.ts";

/** A base URL of one of Google's APIs, or of what stands in for it. */
export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  readonly host: string;
}

/** The endpoint, or in words what was expected (never the text itself: a URL may hold a password). */
export function parseEndpoint(text: string): Endpoint | string {
  const url = URL.parse(text);
  if (url === null || url.host === "") return "expected a URL such as https://cloudkms.googleapis.com";
  if (url.username !== "" || url.password !== "") return "expected a URL without a user name or password";
  if (/[?#]/.test(text)) return "expected a URL without ? and #";
  const host = withoutBrackets(url.hostname);
  const isAllowed = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(host));
  if (!isAllowed) return "expected an https URL (plain http goes to loopback only)";
  return { url: url.href.replace(/\/+$/, ""), host };
}

/** The region that a regional Cloud KMS endpoint serves: `cloudkms.REGION.rep.DOMAIN`, privately `….p.rep.DOMAIN`. */
export function regionOfEndpoint({ host }: Pick<Endpoint, "host">): string | undefined {
  return /^cloudkms\.([a-z0-9-]+)\.(?:p\.)?rep\./.exec(host)?.[1];
}

/** A DNS name with at least one dot, in lower case. */
export const DOMAIN_PATTERN: RegExp = /^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/;
