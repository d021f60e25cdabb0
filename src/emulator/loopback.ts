import { isLoopbackHost } from "../config/address.ts";
import { withBrackets } from "../core/host.ts";

/** Whether a Host header, which may have brackets and a port, names a loopback address. */
export function isLoopbackHeader(header: string): boolean {
  const host = /^(?:\[(?<v6>[0-9a-f:]+)\]|(?<name>[^:]+))(?::\d+)?$/i.exec(header.toLowerCase())?.groups;
  return isLoopbackHost(host?.["v6"] ?? host?.["name"] ?? "");
}

/** `http://127.0.0.1:8181`. */
export function toUrl(scheme: "http" | "https", host: string, port: number): string {
  return `${scheme}://${withBrackets(host)}:${port}`;
}
