import { BlockList, isIP } from "node:net";

/** Whether a host is to be reached without the proxy. @param host without brackets */
export type IsExempt = (host: string, port: number) => boolean;

/**
 * `NO_PROXY` as Go reads it, and so sops: names with all below them (`.name`, `*.name`: only those below), addresses,
 * networks (`10.0.0.0/8`), `*`; each but a network with `:port` where only that one is meant.
 * https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 */
export function parseNoProxy(text: string): IsExempt {
  const exemptions = text
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .map(parseEntry);
  return (host, port) => {
    const name = host.toLowerCase().replace(/\.$/, "");
    return exemptions.some((isExempt) => isExempt(name, port));
  };
}

function parseEntry(entry: string): IsExempt {
  const network = parseNetwork(entry);
  if (network !== undefined) return network;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+|.*:.*:.*?))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const pattern = (bracketed ?? plain ?? entry).toLowerCase().replace(/\.$/, "");
  const isHost = matchHost(isIP(entry) === 6 ? entry.toLowerCase() : pattern);
  const onlyPort = isIP(entry) === 6 || digits === undefined ? undefined : Number(digits);
  return (host, port) => (onlyPort === undefined || onlyPort === port) && isHost(host);
}

function matchHost(pattern: string): (host: string) => boolean {
  if (pattern === "*") return () => true;
  if (isIP(pattern) !== 0) return addressIsIn(listOf((list, family) => list.addAddress(pattern, family), pattern));
  const below = pattern.replace(/^\*?\./, "");
  if (below !== pattern) return (host) => host.endsWith(`.${below}`);
  return (host) => host === pattern || host.endsWith(`.${pattern}`);
}

function parseNetwork(entry: string): IsExempt | undefined {
  const [, address = "", bits = ""] = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (isIP(address) === 0 || Number(bits) > (isIP(address) === 6 ? 128 : 32)) return undefined;
  return addressIsIn(listOf((list, family) => list.addSubnet(address, Number(bits), family), address));
}

type Family = "ipv4" | "ipv6";

function listOf(add: (list: BlockList, family: Family) => void, address: string): BlockList {
  const list = new BlockList();
  add(list, familyOf(address));
  return list;
}

function addressIsIn(list: BlockList): (host: string) => boolean {
  return (host) => isIP(host) !== 0 && list.check(host, familyOf(host));
}

function familyOf(address: string): Family {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
