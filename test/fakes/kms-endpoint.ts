import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32c } from "../../src/kms/crc32c.ts";

export interface KmsRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, string>>;
}

/** What the endpoint does with a request: an answer, or something ruder. */
export type KmsReply =
  | { readonly status?: number; readonly body: unknown }
  | { readonly text: string; readonly status?: number }
  | "hang"
  | "reset";

/** An HTTP server that says what a test orders, request by request; the last order stays. */
export interface KmsEndpoint {
  readonly url: string;
  readonly requests: readonly KmsRequest[];
  /** Resolves when the endpoint has been asked `count` times in all. */
  asked(count: number): Promise<void>;
  close(): void;
}

export async function startKmsEndpoint(
  ...replies: readonly ((request: KmsRequest) => KmsReply)[]
): Promise<KmsEndpoint> {
  const requests: KmsRequest[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      const request = readRequest(message, chunks);
      requests.push(request);
      announce();
      const reply = replies[Math.min(requests.length, replies.length) - 1];
      if (reply !== undefined) send(response, reply(request));
    });
  });
  const announce = () => {
    for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    asked(count) {
      const arrival = Promise.withResolvers<void>();
      waiting.push({ count, resolve: arrival.resolve });
      if (requests.length >= count) arrival.resolve();
      return arrival.promise;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function readRequest(message: IncomingMessage, chunks: readonly Buffer[]): KmsRequest {
  const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
  return { path: message.url ?? "", headers: message.headers, body };
}

function send(response: ServerResponse, reply: KmsReply): void {
  if (reply === "hang") return;
  if (reply === "reset") {
    response.socket?.resetAndDestroy();
    return;
  }
  response.statusCode = reply.status ?? 200;
  response.end("text" in reply ? reply.text : JSON.stringify(reply.body));
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
export function errorReply(code: number, status: string, message: string): KmsReply {
  return { status: code, body: { error: { code, status, message } } };
}
