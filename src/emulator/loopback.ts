/** `localhost`, 127.0.0.0/8 or ::1; without brackets. */
export function isLoopbackAddress(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The same of a Host header, which may have brackets and a port. */
export function isLoopbackHost(header: string): boolean {
  const host = /^(?:\[(?<v6>[0-9a-f:]+)\]|(?<name>[^:]+))(?::\d+)?$/i.exec(header.toLowerCase())?.groups;
  return isLoopbackAddress(host?.["v6"] ?? host?.["name"] ?? "");
}

/** `http://127.0.0.1:8181`. */
export function toUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
