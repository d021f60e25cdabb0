import { BlockList, isIPv4, isIPv6 } from "node:net";
import { withBrackets } from "../core/host.ts";

/** Where a listener listens. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  /** `host` without brackets. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** The shorter of what Linux (107) and macOS (103) take. */
const MAX_SOCKET_PATH_BYTES = 103;

const EXPECTED = "expected unix:///absolute/path or tcp://ADDRESS:PORT";

/** The address, or in words what was expected (never the text itself). */
export function parseListenAddress(text: string): ListenAddress | string {
  if (text.startsWith("unix://")) return parseUnix(text.slice("unix://".length));
  if (text.startsWith("tcp://")) return parseTcp(text.slice("tcp://".length));
  return EXPECTED;
}

function parseUnix(path: string): ListenAddress | string {
  if (!path.startsWith("/") || path.endsWith("/"))
    return "expected an absolute path after unix://, as in unix:///run/sops-keyd.sock";
  // sops reads the address as a URL, where these would mean something else than in a path.
  if (/[%?#\s\p{Cc}]/u.test(path)) return "expected a socket path without spaces and without any of % ? #";
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    return `expected a socket path of at most ${MAX_SOCKET_PATH_BYTES} bytes`;
  return { kind: "unix", path };
}

function parseTcp(authority: string): ListenAddress | string {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/]+)):(\d{1,5})$/.exec(authority);
  if (parts === null) return "expected tcp://ADDRESS:PORT, as in tcp://127.0.0.1:5000 or tcp://[::1]:5000";
  const [, ipv6, name = "", digits = ""] = parts;
  const port = Number(digits);
  if (port > 65_535) return "expected a port from 0 to 65535";
  if (ipv6 !== undefined)
    return isIPv6(ipv6) ? { kind: "tcp", host: ipv6, port } : "expected an IPv6 address in the brackets";
  if (isIPv4(name) || name === "localhost") return { kind: "tcp", host: name, port };
  return "expected an IP address or localhost as the host";
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine can reach the host. @param host an IP address without brackets, or a name */
export function isLoopbackHost(host: string): boolean {
  if (isIPv4(host)) return loopback.check(host, "ipv4");
  // BlockList also sees the IPv4 address in ::ffff:127.0.0.1.
  if (isIPv6(host)) return loopback.check(host, "ipv6");
  return host === "localhost";
}

/** Whether only this machine can reach the address. */
export function isLocalAddress(address: ListenAddress): boolean {
  return address.kind === "unix" || isLoopbackHost(address.host);
}

/** One text for every way to write an address, to find two that are the same. */
export function canonicalAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix://${address.path.replaceAll(/\/{2,}/g, "/")}`;
  const host = isIPv6(address.host) ? new URL(`http://[${address.host}]`).hostname : address.host;
  return `tcp://${host}:${address.port}`;
}

/** As the config writes it. */
export function renderAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  return `tcp://${withBrackets(address.host)}:${address.port}`;
}
