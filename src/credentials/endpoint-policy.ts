import { BlockList, isIP } from "node:net";
import { isLoopbackHost } from "../config/address.ts";
import type { GoogleConfig } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import { withoutBrackets } from "../core/host.ts";

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

const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
// Where clouds have their metadata servers besides: Google's and Amazon's for IPv6, Alibaba's.
LINK_LOCAL.addAddress("fd20:ce::254", "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");
LINK_LOCAL.addAddress("100.100.100.200", "ipv4");
// 169.254.0.0/16 as a NAT64 gateway would reach it.
LINK_LOCAL.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");

const METADATA_NAMES: ReadonlySet<string> = new Set(["metadata", "metadata.google.internal", "metadata.goog"]);

/** Hosts of Google's own domain that serve what anybody puts there. */
const OPEN_TO_ALL: ReadonlySet<string> = new Set([
  "storage",
  "storage-download",
  "storage-upload",
  "commondatastorage",
  "firebasestorage",
]);
/** DNS allows 253 characters; a longer text before the reason would push it out of the message. */
const MAX_SHOWN_HOST_LENGTH = 100;

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
      problem: `${what} names ${target.protocol}//${shorten(target.host)}, which is refused: ${refused}`,
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
  const services = new Map<string, Service>([
    // google-auth-library has this host built in whatever the universe; the others it takes from the credential,
    // where those of another universe are a contradiction to be told of.
    [`https://oauth2.${DEFAULT_UNIVERSE}`, "oauth2"],
    [`https://oauth2.${universeDomain}`, "oauth2"],
    [`https://sts.${universeDomain}`, "sts"],
    [`https://iamcredentials.${universeDomain}`, "iamCredentials"],
  ]);
  // Client certificates are asked for at this host alone, so that it is replaced only where the other one is.
  const isElsewhere = endpoints.sts !== `https://sts.${universeDomain}`;
  if (isElsewhere) services.set(`https://sts.mtls.${universeDomain}`, "sts");
  return services;
}

function shorten(host: string): string {
  return host.length > MAX_SHOWN_HOST_LENGTH ? `${host.slice(0, MAX_SHOWN_HOST_LENGTH)}…` : host;
}

function findFault(url: URL, isConfigured: boolean, universeDomain: string): string | undefined {
  if (url.username !== "" || url.password !== "") return "it carries a user name or password";
  const host = withoutBrackets(url.hostname);
  const family = isIP(host) === 6 ? "ipv6" : "ipv4";
  if (isIP(host) !== 0 && LINK_LOCAL.check(host, family)) return "it is a link-local address";
  // A name with a dot at its end is the same name.
  if (METADATA_NAMES.has(host.replace(/\.$/, ""))) return "it is a metadata server";
  if (url.protocol === "http:") return findClearTextFault(host, isConfigured);
  if (url.protocol !== "https:") return "it is neither https nor http";
  if (isConfigured) return undefined;
  if (url.port !== "") return "it names a port";
  return findForeignHost(host, universeDomain);
}

/** URLs allow more in a host, which no host of ours to ask has. */
const HOST = /^(?:[a-z0-9_-]+\.)+[a-z0-9-]+$/;

function findForeignHost(host: string, universeDomain: string): string | undefined {
  if (!HOST.test(host) || !host.endsWith(`.${universeDomain}`)) return `it is not a host of ${universeDomain}`;
  const service =
    host
      .slice(0, -universeDomain.length - 1)
      .split(".")
      .at(-1) ?? "";
  return OPEN_TO_ALL.has(service) ? "it serves what anybody puts there" : undefined;
}

function findClearTextFault(host: string, isConfigured: boolean): string | undefined {
  if (!isConfigured) return "it is plain http";
  return isLoopbackHost(host) ? undefined : "plain http is for loopback addresses only";
}
