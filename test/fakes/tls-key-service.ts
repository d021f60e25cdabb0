import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { KEY_SERVICE } from "../../src/server/protocol.ts";
import type { TestCertificate } from "./certificates.ts";

export type Respond = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;

export interface TlsKeyService extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** A key service that is not ours, over TLS with client certificates of `clientCa`, that does what a test says. */
export async function startTlsKeyService(
  pair: TestCertificate,
  clientCa: TestCertificate | undefined,
  respond: Respond,
): Promise<TlsKeyService> {
  const server = new Server();
  server.addService(KEY_SERVICE, { Encrypt: respond, Decrypt: respond });
  const credentials = ServerCredentials.createSsl(
    clientCa === undefined ? null : Buffer.from(clientCa.certificate),
    [{ cert_chain: Buffer.from(pair.certificate), private_key: Buffer.from(pair.privateKey) }],
    clientCa !== undefined,
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  const port = await promise;
  return {
    url: `tls://127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]() {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
