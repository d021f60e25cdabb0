import { isIPv6 } from "node:net";

/** A host without the brackets that an IPv6 address has in a URL. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** A host as it stands in a URL: an IPv6 address in brackets. */
export function withBrackets(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
