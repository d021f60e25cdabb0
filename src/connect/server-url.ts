import { isIPv6 } from "node:net";
import { isLoopbackHost } from "../config/address.ts";

/** A server that speaks the SOPS protocol, as `--to` names it. */
export type ServerUrl =
  | { readonly kind: "tls"; readonly url: string; readonly host: string; readonly port: number }
  /** Clear text that does not leave the machine. */
  | { readonly kind: "local"; readonly url: string; readonly target: string };

const EXPECTED = "expected tls://HOST:PORT";
/** Names, IPv4 addresses, and IPv6 ones in brackets. */
const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)):([0-9]{1,5})$/;
const MAX_PORT = 65_535;

/** The server, or in words what was expected (never the text itself). */
export function parseServerUrl(text: string): ServerUrl | string {
  if (text.startsWith("unix:///")) return { kind: "local", url: text, target: text };
  const [, scheme, authority = ""] = /^(tls|tcp):\/\/(.*)$/.exec(text) ?? [];
  const parts = AUTHORITY.exec(authority);
  const [, ipv6, name = ipv6 ?? "", digits = ""] = parts ?? [];
  const port = Number(digits);
  if (parts === null || port === 0 || port > MAX_PORT || (ipv6 !== undefined && !isIPv6(ipv6))) return EXPECTED;
  if (scheme === "tls") return { kind: "tls", url: text, host: name, port };
  if (isLoopbackHost(name)) return { kind: "local", url: text, target: authority };
  return `${EXPECTED}: tcp:// is clear text, and leaves this machine`;
}
