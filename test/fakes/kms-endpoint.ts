import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { readBody } from "../../src/emulator/body.ts";
import { openConnections, type ServerCertificate } from "../../src/emulator/connections.ts";
import { grpcWireFor } from "../../src/emulator/grpc-wire.ts";
import type { HttpRequest, HttpResponse } from "../../src/emulator/http.ts";
import { restWire, type Wire } from "../../src/emulator/wire.ts";
import { crc32c } from "../../src/kms/crc32c.ts";

/** By gRPC too, what came is told as the REST request that it stands for. */
export interface KmsRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, string>>;
}

/** What the endpoint does with a request: an answer, or something ruder. */
export type KmsReply =
  | { readonly status?: number; readonly body: object; readonly headers?: Readonly<Record<string, string>> }
  | { readonly text: string; readonly status?: number }
  | "hang"
  | "reset"
  /** Half of an answer, and the end of the connection. */
  | "truncate";

/** A server of Cloud KMS' REST and gRPC APIs that says what a test orders, request by request; the last order stays. */
export interface KmsEndpoint {
  /** Clear text. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly KmsRequest[];
  /** Resolves when the endpoint has been asked `count` times in all. */
  asked(count: number): Promise<void>;
  /** Resolves when a request has ended that was left to hang: its client gave it up, by itself or with its connection. */
  abandoned(): Promise<void>;
  close(): void;
}

type Order = (request: KmsRequest) => KmsReply;

export function startKmsEndpoint(...orders: readonly Order[]): Promise<KmsEndpoint> {
  return listen(orders, undefined);
}

/** Over TLS, at `localhost` or 127.0.0.1 as the certificate says. */
export function startTlsKmsEndpoint(certificate: ServerCertificate, ...orders: readonly Order[]): Promise<KmsEndpoint> {
  return listen(orders, certificate);
}

async function listen(orders: readonly Order[], certificate: ServerCertificate | undefined): Promise<KmsEndpoint> {
  const requests: KmsRequest[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const abandoned = Promise.withResolvers<void>();
  const announce = () => {
    for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
  };
  const answer = async (message: HttpRequest, response: HttpResponse) => {
    const wire = wireOf(message);
    const { path, headers, body } = wire.read(message, await readBody(message));
    const request = { path, headers, body: JSON.parse(body.toString() || "{}") };
    requests.push(request);
    announce();
    const reply = orders[Math.min(requests.length, orders.length) - 1]?.(request) ?? "hang";
    if (reply === "hang") response.once("close", abandoned.resolve);
    carryOut(reply, wire, response, connections.socketOf(message));
  };
  const connections = await openConnections({ host: "127.0.0.1", port: 0 }, certificate, (message, response) => {
    void answer(message, response);
  });
  return {
    url: `http://127.0.0.1:${connections.port}`,
    port: connections.port,
    requests,
    asked(count) {
      const arrival = Promise.withResolvers<void>();
      waiting.push({ count, resolve: arrival.resolve });
      if (requests.length >= count) arrival.resolve();
      return arrival.promise;
    },
    abandoned: () => abandoned.promise,
    close: () => void connections.close(),
  };
}

function carryOut(reply: KmsReply, wire: Wire, response: HttpResponse, socket: Socket | undefined): void {
  switch (reply) {
    case "hang":
      return;
    case "reset":
      socket?.resetAndDestroy();
      return;
    case "truncate":
      wire.send({ status: 200, body: {} }, response, () => socket?.destroy());
      return;
    default:
      wire.send({ status: 200, ...("text" in reply ? { ...reply, body: reply.text } : reply) }, response, undefined);
  }
}

function wireOf(message: HttpRequest): Wire {
  const isGrpc = message.headers["content-type"]?.startsWith("application/grpc") === true;
  return isGrpc ? grpcWireFor(message) : restWire;
}

/** A right answer of Cloud KMS to an encrypt request; `changes` spoils it. */
export function encryptReply(request: KmsRequest, ciphertext: Uint8Array, changes: object = {}): KmsReply {
  const key = request.path.replace(/^\/v1\//, "").replace(/:encrypt$/, "");
  return {
    body: {
      name: `${key}/cryptoKeyVersions/1`,
      ciphertext: Buffer.from(ciphertext).toString("base64"),
      ciphertextCrc32c: String(crc32c(ciphertext)),
      verifiedPlaintextCrc32c: true,
      ...changes,
    },
  };
}

/** A right answer of Cloud KMS to a decrypt request; `changes` spoils it. */
export function decryptReply(plaintext: Uint8Array, changes: object = {}): KmsReply {
  return {
    body: {
      plaintext: Buffer.from(plaintext).toString("base64"),
      plaintextCrc32c: String(crc32c(plaintext)),
      usedPrimary: true,
      ...changes,
    },
  };
}

/** Google's error format. */
export function errorReply(code: number, status: string, message: string, retryAfterSeconds?: number): KmsReply {
  const headers = retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) };
  return { status: code, headers, body: { error: { code, status, message } } };
}
