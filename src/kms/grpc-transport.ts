import { type ClientUnaryCall, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { HttpProxy } from "../config/proxy.ts";
import { describeGrpcFailure, isConnectionFailure } from "./grpc-refusal.ts";
import { type Int64Value, type KmsResponse, openKmsStub } from "./grpc-stub.ts";
import { readChecksum } from "./json-answer.ts";
import type { Attempt, KmsAnswer, KmsRequest, KmsTransport, TransportOutcome } from "./transport.ts";
import { describeConnectionFailure } from "./upstream-error.ts";

export interface GrpcTransportOptions {
  /** Scheme, host and port, such as `https://cloudkms.googleapis.com`: gRPC has no base path. */
  readonly endpoint: string;
  /** Certificates in PEM form that are trusted; undefined: Node's own. */
  readonly ca: readonly string[] | undefined;
  /** Undefined: the endpoint is reached directly. */
  readonly proxy?: HttpProxy | undefined;
  readonly quotaProject: string | undefined;
  readonly userAgent: string;
}

type StartCall = (
  metadata: Metadata,
  callback: (error: ServiceError | null, response?: KmsResponse) => void,
) => ClientUnaryCall;

/**
 * Cloud KMS' gRPC API by Google's own client: google.cloud.kms.v1.KeyManagementService, one channel.
 * https://cloud.google.com/kms/docs/reference/rpc/google.cloud.kms.v1
 */
export async function openGrpcTransport(options: GrpcTransportOptions): Promise<KmsTransport> {
  const { host } = new URL(options.endpoint);
  const stub = await openKmsStub(options);
  const inFlight = new Set<ClientUnaryCall>();

  /** @throws ServiceError, or the signal's reason */
  function perform(start: StartCall, metadata: Metadata, signal: AbortSignal): Promise<KmsResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<KmsResponse>();
    signal.throwIfAborted();
    const call = start(metadata, (error, response = {}) => {
      signal.removeEventListener("abort", onAbort);
      inFlight.delete(call);
      if (error === null) resolve(response);
      else reject(error);
    });
    const onAbort = () => {
      reject(signal.reason);
      call.cancel();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    inFlight.add(call);
    return promise;
  }

  function ask(request: KmsRequest, attempt: Attempt): Promise<KmsResponse> {
    const { operation, key: name, payload } = request;
    const checksum: Int64Value = { value: request.payloadCrc32c };
    const start: StartCall =
      operation === "encrypt"
        ? (...rest) => stub.encrypt({ name, plaintext: payload, plaintextCrc32c: checksum }, ...rest)
        : (...rest) => stub.decrypt({ name, ciphertext: payload, ciphertextCrc32c: checksum }, ...rest);
    return perform(start, metadataOf(request, attempt, options.quotaProject), attempt.signal);
  }

  return {
    host,
    proxyHost: options.proxy?.host,
    async send(request, attempt) {
      try {
        return { ok: true, answer: readAnswer(await ask(request, attempt), request) };
      } catch (thrown) {
        attempt.signal.throwIfAborted();
        return describeFailure(thrown, request, attempt, host, options.proxy?.host);
      }
    },
    async probe(signal) {
      const start: StartCall = (...rest) => stub.getKeyRing({ name: "" }, ...rest);
      await perform(start, new Metadata(), signal).catch((thrown: unknown) => {
        // Any refusal will do: without a token, and of nothing, there is one at best.
        if (!isServiceError(thrown) || isConnectionFailure(thrown)) throw thrown;
      });
    },
    async close() {
      for (const call of inFlight) call.cancel();
      stub.close();
    },
  };
}

function metadataOf({ key }: KmsRequest, { token, reason }: Attempt, quotaProject: string | undefined): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token.accessToken.reveal()}`);
  // Google routes by it: https://google.aip.dev/client-libraries/4222
  metadata.set("x-goog-request-params", `name=${encodeURIComponent(key)}`);
  if (quotaProject !== undefined) metadata.set("x-goog-user-project", quotaProject);
  if (reason !== undefined) metadata.set("x-goog-request-reason", reason);
  return metadata;
}

function readAnswer(response: KmsResponse, { operation }: KmsRequest): KmsAnswer {
  const [payload, checksum] =
    operation === "encrypt"
      ? [response.ciphertext, response.ciphertextCrc32c]
      : [response.plaintext, response.plaintextCrc32c];
  return {
    // What is not there is empty in protobuf.
    name: response.name === "" ? undefined : response.name,
    payload: payload?.length === 0 ? undefined : payload,
    payloadCrc32c: readChecksum(checksum?.value),
    confirmsRequest: response.verifiedPlaintextCrc32c === true,
  };
}

function describeFailure(
  thrown: unknown,
  request: KmsRequest,
  attempt: Attempt,
  host: string,
  proxyHost: string | undefined,
): TransportOutcome {
  // A channel that was closed throws where a call is made.
  if (!isServiceError(thrown)) return { ok: false, ...describeConnectionFailure(thrown, host, proxyHost) };
  const { token, tokenIsFresh } = attempt;
  const asked = { operation: request.operation, host, principal: token.principal, tokenIsFresh };
  return describeGrpcFailure(thrown, asked, proxyHost);
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown && "metadata" in thrown;
}
