import { type ChannelCredentials, Client, credentials, Metadata } from "@grpc/grpc-js";
import { type DecryptResponse, type EncryptResponse, type KeyMessage, loadKeyService } from "./key-messages.ts";

interface CallOptions {
  /** Milliseconds since the Unix epoch. */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** Sent as it is. */
  readonly authorization?: string;
}

/** A client of the protocol that, unlike sops, shows status codes and takes any bytes. */
export interface KeyClient {
  encrypt(key: KeyMessage, plaintext: Uint8Array, options?: CallOptions): Promise<Buffer>;
  decrypt(key: KeyMessage, ciphertext: Uint8Array, options?: CallOptions): Promise<Buffer>;
  close(): void;
}

function toMetadata({ authorization }: CallOptions): Metadata {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  return metadata;
}

const METHODS = loadKeyService();

/** @param address `unix:///path` or `tcp://host:port` */
export function createKeyClient(address: string): KeyClient {
  return over(new Client(targetOf(address), credentials.createInsecure()));
}

/**
 * The same by TLS.
 *
 * @param serverName what the server's certificate is held against: Node takes no IP address for SNI, and grpc-js gives it
 */
export function createTlsKeyClient(address: string, secured: ChannelCredentials, serverName: string): KeyClient {
  const options = { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName };
  return over(new Client(targetOf(address), secured, options));
}

function targetOf(address: string): string {
  return address.replace(/^tcp:\/\//, "");
}

function over(client: Client): KeyClient {
  function call<A>(method: "Encrypt" | "Decrypt", request: object, options: CallOptions = {}): Promise<A> {
    const { promise, resolve, reject } = Promise.withResolvers<A>();
    const { path, requestSerialize, responseDeserialize } = METHODS[method];
    const pending = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      toMetadata(options),
      options.deadline === undefined ? {} : { deadline: options.deadline },
      (error, answer) => (error === null ? resolve(answer as A) : reject(error)),
    );
    options.signal?.addEventListener("abort", () => pending.cancel(), { once: true });
    return promise;
  }

  return {
    encrypt: async (key, plaintext, options) =>
      (await call<EncryptResponse>("Encrypt", { key, plaintext }, options)).ciphertext,
    decrypt: async (key, ciphertext, options) =>
      (await call<DecryptResponse>("Decrypt", { key, ciphertext }, options)).plaintext,
    close: () => client.close(),
  };
}
