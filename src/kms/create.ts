import type { Config, RuleConfig } from "../config/config.ts";
import { regionOfEndpoint } from "../config/endpoint.ts";
import type { Environment } from "../config/environment.ts";
import { fileError } from "../config/issue.ts";
import type { Clock } from "../core/clock.ts";
import { chooseForRule, createProxyChoice } from "../network/choose-proxy.ts";
import { createTrustReader } from "../network/trusted-certificates.ts";
import { boundCalls } from "./bounded.ts";
import { createKmsClient } from "./client.ts";
import { createTransport } from "./create-transport.ts";
import { describeKmsEvent, type KmsEvent } from "./events.ts";
import type { KmsClient } from "./kms-client.ts";
import { createQuotaLimiters } from "./quota-limiters.ts";
import { checkLocation } from "./regional.ts";

export interface KmsSurroundings {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  readonly userAgent: string;
}

/**
 * Makes a client for each rule: connections, circuit and bound of calls are its own, so that one rule's slow endpoint
 * takes nothing from another's. Only quotas are shared, as Cloud KMS shares them.
 *
 * @throws ConfigError where a CA file or a proxy cannot be used
 */
export function createKmsClients(
  { google }: Pick<Config, "google">,
  surroundings: KmsSurroundings,
): (rule: RuleConfig) => KmsClient {
  const { clock, environment, warn, userAgent } = surroundings;
  const report = (event: KmsEvent) => warn(describeKmsEvent(event));
  const limiters = createQuotaLimiters(clock, report);
  const chooseProxy = createProxyChoice(environment);
  const readTrust = createTrustReader();
  const random = Math.random;
  return ({ name: rule, kms }) => {
    const endpoint = new URL(kms.endpoint);
    const { caFile } = kms;
    const ca = readTrust(
      caFile ?? google.caFile,
      caFile === undefined ? "google.caFile" : `kms.caFile of rule ${rule}`,
    );
    const proxy = chooseForRule(kms.proxy, endpoint, environment, chooseProxy);
    if (kms.transport === "grpc" && proxy?.origin.startsWith("https:") === true) {
      throw fileError(`rule ${rule}`, "grpc goes by http proxies only, not by https ones: use transport: rest");
    }
    const transport = createTransport(kms, { ca, proxy, userAgent, clock });
    const client = boundCalls(
      createKmsClient({ ...kms, rule, transport, limiters, clock, random, report }),
      rule,
      kms.maxCalls,
    );
    const region = regionOfEndpoint({ host: endpoint.hostname });
    return region === undefined ? client : checkLocation(client, region, endpoint.host);
  };
}
