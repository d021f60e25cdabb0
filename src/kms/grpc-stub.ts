import type { KeyManagementServiceClient } from "@google-cloud/kms";
import { type ClientUnaryCall, credentials, type Metadata, type ServiceError } from "@grpc/grpc-js";
import type { HttpProxy } from "../config/proxy.ts";
import { withoutBrackets } from "../core/host.ts";
import { tlsByAddress } from "../network/tls-by-address.ts";
import { trustIn } from "./trust.ts";

/** google.protobuf.Int64Value; int64 is text in JavaScript. */
export interface Int64Value {
  readonly value: string | number;
}

export interface EncryptRequest {
  readonly name: string;
  readonly plaintext: Uint8Array;
  readonly plaintextCrc32c: Int64Value;
}

export interface DecryptRequest {
  readonly name: string;
  readonly ciphertext: Uint8Array;
  readonly ciphertextCrc32c: Int64Value;
}

/** EncryptResponse or DecryptResponse, as far as it is read here. Left out on the wire is empty, or null, here. */
export interface KmsResponse {
  readonly name?: string;
  readonly ciphertext?: Buffer;
  readonly ciphertextCrc32c?: Int64Value | null;
  readonly verifiedPlaintextCrc32c?: boolean;
  readonly plaintext?: Buffer;
  readonly plaintextCrc32c?: Int64Value | null;
}

export type UnaryMethod<Request> = (
  request: Request,
  metadata: Metadata,
  callback: (error: ServiceError | null, response?: KmsResponse) => void,
) => ClientUnaryCall;

/** The gRPC stub inside Google's client. */
export interface KmsStub {
  readonly encrypt: UnaryMethod<EncryptRequest>;
  readonly decrypt: UnaryMethod<DecryptRequest>;
  readonly getKeyRing: UnaryMethod<{ readonly name: string }>;
  close(): void;
}

export interface KmsStubOptions {
  /** `https://cloudkms.googleapis.com`; plain http is spoken in clear text. */
  readonly endpoint: string;
  readonly ca: readonly string[] | undefined;
  /** Undefined: the endpoint is reached directly. */
  readonly proxy?: HttpProxy | undefined;
  readonly userAgent: string;
}

/** A KMS answer is at most 64 KiB of ciphertext, plus names. */
const MAX_ANSWER_BYTES = 128 * 1024;

const CHANNEL_OPTIONS = {
  // A channel of the rule's own: grpc-js would share connections between channels to one address.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
  // Whether and when to ask again is decided above the transport, and by no DNS record.
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  // Not after up to two minutes, as by default: the circuit breaker above is what spares an endpoint that is down.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // A connection that died in silence, as after a suspend, would swallow call after call. Half a minute is what
  // Google's own clients ping at.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_http_proxy": 0,
} as const;

/**
 * Google's client, initialised: no request is sent and no credential looked for.
 *
 * Of the client only the stub is used. Its methods write what they encrypt to standard error where
 * GOOGLE_SDK_NODE_LOGGING is set, read all of the API's descriptors anew for each error, and can't cancel a call.
 */
export async function openKmsStub({ endpoint, ca, proxy, userAgent }: KmsStubOptions): Promise<KmsStub> {
  const { protocol, hostname, port, host } = new URL(endpoint);
  const isTls = protocol === "https:";
  const byAddress = tlsByAddress(withoutBrackets(hostname));
  const options = {
    ...CHANNEL_OPTIONS,
    "grpc.primary_user_agent": userAgent,
    "grpc.default_authority": host,
    ...(byAddress !== undefined && { "grpc.ssl_target_name_override": byAddress.name }),
    ...wayTo(hostname, port === "" ? (isTls ? 443 : 80) : Number(port), proxy),
    sslCreds: isTls
      ? credentials.createFromSecureContext(trustIn(ca), byAddress?.verify ?? {})
      : credentials.createInsecure(),
    auth: NO_SEARCH,
    // With these GOOGLE_API_USE_CLIENT_CERTIFICATE does not make it run the command that a file in the home directory
    // names. They are not looked at where there are channel credentials.
    cert: "none",
    key: "none",
  };
  const google = await import("@google-cloud/kms");
  const client = new google.KeyManagementServiceClient(options as unknown as ClientOptions);
  return (await client.initialize()) as unknown as KmsStub;
}

/** What is connected to, and beyond a proxy what for: grpc-js' own options, since it can read only the environment's. */
function wayTo(hostname: string, port: number, proxy: HttpProxy | undefined): object {
  if (proxy === undefined) return { servicePath: hostname, port };
  const { hostname: servicePath, port: proxyPort } = new URL(proxy.origin);
  const basic = proxy.authorization?.reveal().replace(/^Basic /, "");
  return {
    servicePath,
    port: proxyPort === "" ? 80 : Number(proxyPort),
    "grpc.http_connect_target": `dns:${hostname}:${port}`,
    ...(basic !== undefined && { "grpc.http_connect_creds": Buffer.from(basic, "base64").toString() }),
  };
}

type ClientOptions = NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>;

/** In place of google-auth-library's search for a credential. */
const NO_SEARCH = {
  getUniverseDomain: () => Promise.resolve("googleapis.com"),
  getClient: () => Promise.reject(new Error("tokens come with each call")),
};
