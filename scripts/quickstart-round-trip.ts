import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Screen } from "./quickstart-screen.ts";
import { keyOf, type Team } from "./quickstart-services.ts";

/** What is shown of a key service. Each throws where the answer is not the one that it must be. */
export interface RoundTrip {
  encrypt(team: Team, signal: AbortSignal): Promise<void>;
  decrypt(team: Team, signal: AbortSignal): Promise<void>;
  /** @returns the message that the user sees */
  refused(project: string, signal: AbortSignal): Promise<string>;
}

interface EncryptResponse {
  readonly ciphertext: Buffer;
}

interface DecryptResponse {
  readonly plaintext: Buffer;
}

const PROTO_FILE = fileURLToPath(new URL("../proto/keyservice.proto", import.meta.url));
const CALL_TIMEOUT_MS = 15_000;
const DATA_KEY_BYTES = 32;

/** Speaks the protocol itself, with a random data key: for machines where no sops can be had. */
export function createBuiltInRoundTrip(address: string, screen: Screen): RoundTrip {
  const dataKeys = new Map<string, { readonly plaintext: Buffer; readonly ciphertext: Buffer }>();

  return {
    async encrypt({ name, key }, signal) {
      const plaintext = randomBytes(DATA_KEY_BYTES);
      screen.command(`KeyService/Encrypt ${key}`);
      const request = { key: gcpKms(key), plaintext };
      const { ciphertext } = await call<EncryptResponse>(address, "Encrypt", request, signal);
      if (ciphertext.length === 0) throw new Error("the encrypted data key is empty");
      dataKeys.set(name, { plaintext, ciphertext });
      screen.quote(ciphertext.toString());
    },
    async decrypt({ name, key }, signal) {
      const { plaintext, ciphertext } = dataKeys.get(name) ?? {};
      if (plaintext === undefined) throw new Error(`nothing was encrypted for ${name}`);
      screen.command(`KeyService/Decrypt ${key}`);
      const answer = await call<DecryptResponse>(address, "Decrypt", { key: gcpKms(key), ciphertext }, signal);
      if (!plaintext.equals(answer.plaintext)) throw new Error(`the data key of ${name} came back as something else`);
      screen.quote("the same 32 bytes", "green");
    },
    async refused(project, signal) {
      const key = keyOf(project);
      screen.command(`KeyService/Encrypt ${key}`);
      const request = { key: gcpKms(key), plaintext: randomBytes(DATA_KEY_BYTES) };
      const message = await call(address, "Encrypt", request, signal).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (message === undefined) throw new Error("a key that no rule allows was not refused");
      screen.quoteAll(message, "yellow");
      return message;
    },
  };
}

function gcpKms(resourceId: string): object {
  return { gcpKmsKey: { resourceId } };
}

function call<Answer>(
  address: string,
  method: "Encrypt" | "Decrypt",
  request: object,
  signal: AbortSignal,
): Promise<Answer> {
  const protocol = loadPackageDefinition(loadSync(PROTO_FILE, { bytes: Buffer }));
  const Service = protocol["KeyService"] as ServiceClientConstructor;
  const definition = Service.service[method];
  if (definition === undefined) throw new Error(`the protocol has no method ${method}`);
  const client: Client = new Service(address, credentials.createInsecure());
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const pending = client.makeUnaryRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    request,
    { deadline: Date.now() + CALL_TIMEOUT_MS },
    (error, answer) => (error === null ? resolve(answer as Answer) : reject(error)),
  );
  const onAbort = () => pending.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    client.close();
  });
}
