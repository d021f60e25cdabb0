import type { RuleKmsConfig } from "../config/config.ts";
import type { HttpProxy } from "../config/proxy.ts";
import type { Clock } from "../core/clock.ts";
import { createEndpointPool } from "./endpoint-pool.ts";
import { createLazyTransport } from "./lazy-transport.ts";
import { createRestTransport } from "./rest-transport.ts";
import type { KmsTransport } from "./transport.ts";

export interface TransportSurroundings {
  /** Certificates in PEM form that are trusted; undefined: Node's own. */
  readonly ca?: readonly string[] | undefined;
  /** Undefined: the endpoint is reached directly. */
  readonly proxy?: HttpProxy | undefined;
  readonly userAgent: string;
  readonly clock: Clock;
}

/** A rule's own way to Cloud KMS: one rule's slow endpoint takes no connection from another's calls. */
export function createTransport(kms: RuleKmsConfig, surroundings: TransportSurroundings): KmsTransport {
  const { ca, proxy, userAgent, clock } = surroundings;
  const { host, origin } = new URL(kms.endpoint);
  switch (kms.transport) {
    case "rest":
      return createRestTransport({
        ...kms,
        dispatcher: createEndpointPool(origin, { ca, proxy }),
        proxyHost: proxy?.host,
        userAgent,
        clock,
      });
    case "grpc":
      return createLazyTransport({ host, proxyHost: proxy?.host }, async () => {
        const { openGrpcTransport } = await import("./grpc-transport.ts");
        return openGrpcTransport({ ...kms, ca, proxy, userAgent });
      });
  }
}
