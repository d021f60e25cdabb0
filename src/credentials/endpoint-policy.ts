import { BlockList, isIP } from "node:net";
import type { GoogleConfig } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";

/**
 * Where a token request goes: Google's own hosts are replaced by the configured endpoints, everything else must be
 * an https host of the configured universe or an endpoint that the config names.
 *
 * Credential files come from outside and name URLs; followed blindly, one could send our assertions to anybody or
 * read the metadata server.
 * https://cloud.google.com/docs/authentication/external/externally-sourced-credentials
 *
 * @param what where the URL came from, for the error: `token_uri in file key.json`
 * @throws KeyServiceError `credential_rejected`
 */
export type EndpointPolicy = (url: URL, what: string) => URL;

const DEFAULT_UNIVERSE = "googleapis.com";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
// The metadata server of Google Cloud's IPv6-only machines.
LINK_LOCAL.addAddress("fd20:ce::254", "ipv6");

export function createEndpointPolicy(google: GoogleConfig): EndpointPolicy {
  const { endpoints, universeDomain } = google;
  const configured = new Set(
    [endpoints.oauth2, endpoints.sts, endpoints.iamCredentials].map((endpoint) => new URL(endpoint).origin),
  );
  const services = wellKnownServices(google);
  return (url, what) => {
    const target = rewrite(url, services, google);
    const refused = findFault(target, configured.has(target.origin), universeDomain);
    if (refused === undefined) return target;
    throw new KeyServiceError("credential_rejected", {
      problem: `${what} names ${target.protocol}//${target.host}, which is refused: ${refused}`,
      remedy: `use a host of ${universeDomain}, or name the endpoint under google.endpoints in the config`,
    });
  };
}

type Service = "oauth2" | "sts" | "iamCredentials";

/** What key files of former years name for what is now oauth2.googleapis.com/token. */
const FORMER_TOKEN_URLS = ["https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token"];

/** google-auth-library has most of Google's URLs built in; what is configured is put in their place. */
function rewrite(url: URL, services: ReadonlyMap<string, Service>, google: GoogleConfig): URL {
  if (FORMER_TOKEN_URLS.includes(url.href)) return new URL(`${google.endpoints.oauth2}/token`);
  const service = services.get(url.origin);
  if (service === undefined || url.username !== "" || url.password !== "") return url;
  return new URL(`${google.endpoints[service]}${url.pathname}${url.search}`);
}

function wellKnownServices({ universeDomain, endpoints }: GoogleConfig): ReadonlyMap<string, Service> {
  const services = new Map<string, Service>();
  for (const domain of [DEFAULT_UNIVERSE, universeDomain]) {
    services.set(`https://oauth2.${domain}`, "oauth2");
    services.set(`https://sts.${domain}`, "sts");
    services.set(`https://iamcredentials.${domain}`, "iamCredentials");
    // Client certificates are asked for at this host alone, so that it is replaced only where the other one is.
    const isElsewhere = endpoints.sts !== `https://sts.${universeDomain}`;
    if (isElsewhere) services.set(`https://sts.mtls.${domain}`, "sts");
  }
  return services;
}

function findFault(url: URL, isConfigured: boolean, universeDomain: string): string | undefined {
  if (url.username !== "" || url.password !== "") return "it carries a user name or password";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host) === 6 ? "ipv6" : "ipv4";
  if (isIP(host) !== 0 && LINK_LOCAL.check(host, family)) return "it is a link-local address";
  if (url.protocol === "http:") return findClearTextFault(host, isConfigured);
  if (url.protocol !== "https:") return "it is neither https nor http";
  if (isConfigured) return undefined;
  if (url.port !== "") return "it names a port";
  return host.endsWith(`.${universeDomain}`) ? undefined : `it is not a host of ${universeDomain}`;
}

function findClearTextFault(host: string, isConfigured: boolean): string | undefined {
  if (!isConfigured) return "it is plain http";
  return isLoopbackHost(host) ? undefined : "plain http is for loopback addresses only";
}

/** Without brackets. */
export function isLoopbackHost(host: string): boolean {
  if (host === "localhost") return true;
  return isIP(host) !== 0 && LOOPBACK.check(host, isIP(host) === 6 ? "ipv6" : "ipv4");
}
