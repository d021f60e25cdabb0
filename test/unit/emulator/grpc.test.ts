import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, afterEach, test } from "node:test";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import type { FaultEffect } from "../../../src/emulator/faults.ts";
import { descriptors } from "../../../src/emulator/kms-descriptors.ts";
import { fromJson, type Json, toJson } from "../../../src/emulator/proto-json.ts";
import { EmulatorStartError } from "../../../src/emulator/start-error.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { ask, base64, freshKey, staticToken } from "./fixtures.ts";

const SERVICE = "google.cloud.kms.v1.KeyManagementService";
const PLAINTEXT = base64("123456789");
const CHECKSUM = "3808858755";

const emulator = await startEmulator();
const client = new Client(`127.0.0.1:${emulator.port}`, credentials.createInsecure());
const token = await staticToken(emulator);
after(async () => {
  client.close();
  await emulator.close();
});
afterEach(() => emulator.admin.clearFaults());

interface Call {
  readonly token?: string;
  readonly timeoutMs?: number;
}

function callBytes(method: string, bytes: Uint8Array, { token: bearer = token, timeoutMs = 5_000 }: Call = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const metadata = new Metadata();
  if (bearer !== "") metadata.set("authorization", `Bearer ${bearer}`);
  client.makeUnaryRequest(
    `/${SERVICE}/${method}`,
    (request: Buffer) => request,
    (answer: Buffer) => answer,
    Buffer.from(bytes),
    metadata,
    { deadline: Date.now() + timeoutMs },
    (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
  );
  return promise;
}

async function call(method: string, request: Json, options?: Call): Promise<Json> {
  const { requestType, responseType } = descriptors.lookupService(SERVICE).methods[method] ?? assert.fail();
  const type = descriptors.lookupType(`google.cloud.kms.v1.${requestType}`);
  const answerType = descriptors.lookupType(`google.cloud.kms.v1.${responseType}`);
  const answer = await callBytes(method, type.encode(fromJson(type, request)).finish(), options);
  return toJson(answerType, answerType.decode(answer));
}

const encrypt = (name: string, options?: Call): Promise<Json> =>
  call("Encrypt", { name, plaintext: PLAINTEXT, plaintextCrc32c: CHECKSUM }, options);

async function refusalOf(answer: Promise<unknown>): Promise<ServiceError> {
  return answer.then(
    () => assert.fail("it was not refused"),
    (error: ServiceError) => error,
  );
}

/** Of the refusal's google.rpc.Status, the details of one type. */
function detailOf({ metadata }: ServiceError, name: string): Json {
  const [bytes] = metadata.get("grpc-status-details-bin");
  const rpcStatus = descriptors.lookupType("google.rpc.Status").decode(bytes as Buffer);
  const { details } = rpcStatus.toJSON() as { details: readonly Json[] };
  return details.find(({ "@type": url }) => url === `type.googleapis.com/google.rpc.${name}`) ?? assert.fail();
}

test("what was encrypted by gRPC is decrypted by REST, with checksums both ways", async () => {
  const name = freshKey();
  const { ciphertext, ciphertextCrc32c, ...rest } = await encrypt(name);
  assert.deepEqual(rest, {
    name: `${name}/cryptoKeyVersions/1`,
    verifiedPlaintextCrc32c: true,
    protectionLevel: "SOFTWARE",
  });
  const { json } = await ask(emulator, "POST", `/v1/${name}:decrypt`, {
    token,
    body: { ciphertext, ciphertextCrc32c },
  });
  assert.equal(json["plaintext"], PLAINTEXT);
  const opened = await call("Decrypt", { name, ciphertext, ciphertextCrc32c });
  assert.deepEqual(
    [opened["plaintext"], opened["plaintextCrc32c"], opened["usedPrimary"]],
    [PLAINTEXT, CHECKSUM, true],
  );
});

test("a wrong checksum of the request is refused", async () => {
  const refused = await refusalOf(call("Encrypt", { name: freshKey(), plaintext: PLAINTEXT, plaintextCrc32c: "1" }));
  assert.equal(refused.code, status.INVALID_ARGUMENT);
  assert.match(refused.details, /plaintext_crc32c did not match/);
});

test("who has no token, or a bad one, is refused with the reason that Google gives", async () => {
  const missing = await refusalOf(encrypt(freshKey(), { token: "" }));
  assert.equal(missing.code, status.UNAUTHENTICATED);
  assert.equal(detailOf(missing, "ErrorInfo")["reason"], "CREDENTIALS_MISSING");
  const unknown = await refusalOf(encrypt(freshKey(), { token: "nobody's" }));
  assert.equal(unknown.code, status.UNAUTHENTICATED);
});

test("access lists hold, and the request log has the call with its principal", async () => {
  const name = freshKey();
  emulator.admin.setAccess(name, []);
  emulator.admin.resetRequests();
  const refused = await refusalOf(encrypt(name));
  assert.equal(refused.code, status.PERMISSION_DENIED);
  assert.match(refused.details, /useToEncrypt' denied on resource/);
  const [logged] = emulator.admin.requests().requests;
  assert.deepEqual(
    [logged?.endpoint, logged?.resource, logged?.principal, logged?.status],
    ["kms.encrypt", name, emulator.principals.serviceAccount, 403],
  );
});

const CODES: readonly (readonly [number, status])[] = [
  [400, status.INVALID_ARGUMENT],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.NOT_FOUND],
  [429, status.RESOURCE_EXHAUSTED],
  [500, status.INTERNAL],
  // What a proxy answers has no gRPC status; what it means is the client's to say.
  [502, status.UNAVAILABLE],
  [503, status.UNAVAILABLE],
  [504, status.DEADLINE_EXCEEDED],
];
for (const [code, expected] of CODES) {
  test(`a fault with status ${code} is gRPC's ${status[expected]}`, async () => {
    emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code });
    assert.equal((await refusalOf(encrypt(freshKey()))).code, expected);
  });
}

test("a fault that says when to come back says so in gRPC's way", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 503, retryAfter: 7 });
  const refused = await refusalOf(encrypt(freshKey()));
  assert.deepEqual(detailOf(refused, "RetryInfo")["retryDelay"], { seconds: "7" });
});

test("a fault can bring its own status and message, in any script", async () => {
  const body = { error: { status: "DATA_LOSS", message: "Größe: 100 % – weg" } };
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "status", code: 500, body });
  const refused = await refusalOf(encrypt(freshKey()));
  assert.deepEqual([refused.code, refused.details], [status.DATA_LOSS, body.error.message]);
});

test("a hanging call ends with its client's deadline", async () => {
  emulator.admin.addFault({ endpoint: "kms.encrypt", kind: "hang" });
  const refused = await refusalOf(encrypt(freshKey(), { timeoutMs: 50 }));
  assert.equal(refused.code, status.DEADLINE_EXCEEDED);
});

const BROKEN: readonly (readonly [FaultEffect["kind"], RegExp])[] = [
  ["reset", /UNAVAILABLE|CANCELLED|ECONNRESET/],
  ["truncate", /UNAVAILABLE|CANCELLED|INTERNAL/],
  // The page's first letters are taken for a message's length.
  ["html", /RESOURCE_EXHAUSTED/],
];
for (const [kind, expected] of BROKEN) {
  test(`a fault of the kind ${kind} leaves the client without an answer, and the next call is fine`, async () => {
    emulator.admin.addFault({ endpoint: "kms.encrypt", kind, times: 1 } as never);
    const refused = await refusalOf(encrypt(freshKey()));
    assert.match(status[refused.code], expected);
    assert.equal((await encrypt(freshKey()))["verifiedPlaintextCrc32c"], true);
  });
}

test("answers are damaged as they are in REST", async () => {
  const name = freshKey();
  const damaged = async (kind: "corrupt" | "wrong-crc" | "wrong-name" | "empty" | "unverified") => {
    emulator.admin.addFault({ endpoint: "kms.encrypt", kind, times: 1 });
    return encrypt(name);
  };
  assert.equal((await damaged("wrong-name"))["name"], `${name}-other/cryptoKeyVersions/1`);
  assert.notEqual((await damaged("unverified"))["verifiedPlaintextCrc32c"], true);
  const empty = await damaged("empty");
  assert.deepEqual([empty["ciphertext"] ?? "", empty["ciphertextCrc32c"]], ["", "0"]);
  const { ciphertext } = await damaged("corrupt");
  assert.equal((await refusalOf(call("Decrypt", { name, ciphertext }))).code, status.INVALID_ARGUMENT);
  const { ciphertext: whole } = await damaged("wrong-crc");
  assert.equal((await call("Decrypt", { name, ciphertext: whole }))["plaintext"], PLAINTEXT);
});

test("what is no request of Cloud KMS is refused", async () => {
  const unknown = await refusalOf(callBytes("ReadMinds", Buffer.of()));
  assert.equal(unknown.code, status.UNIMPLEMENTED);
  const garbage = await refusalOf(callBytes("Encrypt", Buffer.from("garbage")));
  assert.deepEqual([garbage.code, garbage.details], [status.INVALID_ARGUMENT, "The request is not a EncryptRequest."]);
  const elsewhere = await refusalOf(encrypt("../../evil?x=1"));
  assert.equal(elsewhere.code, status.NOT_FOUND);
  const absent = await refusalOf(call("GetPublicKey", { name: `${freshKey()}/cryptoKeyVersions/1` }));
  assert.equal(absent.code, status.NOT_FOUND);
});

test("REST is answered over HTTP/2 as well, and web pages stay out", async (t) => {
  const session = connectHttp2(emulator.url);
  t.after(() => session.close());
  const get = async (headers: object) => {
    const stream = session.request({ ":path": "/emulator/faults", ...headers });
    const chunks: Buffer[] = [];
    let code = 0;
    stream.on("response", (response) => {
      code = Number(response[":status"]);
    });
    for await (const chunk of stream) chunks.push(chunk);
    return [code, JSON.parse(Buffer.concat(chunks).toString())];
  };
  assert.deepEqual(await get({}), [200, { faults: [] }]);
  assert.equal((await get({ origin: "https://example.com" }))[0], 403);
  assert.equal((await get({ ":authority": "rebound.example.com" }))[0], 403);
});

test("a connection's first bytes may come one by one", async (t) => {
  const socket = connect(emulator.port, "127.0.0.1");
  t.after(() => socket.destroy());
  for (const byte of "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n") {
    await new Promise((sent) => socket.write(byte, sent));
  }
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 400 /);
});

test("TLS without a certificate ends at once", async () => {
  await assert.rejects(fetch(`https://127.0.0.1:${emulator.port}/`), TypeError);
});

test("a certificate that cannot be used is an error at the start", async () => {
  const { certificate } = createCertificate({ name: "emulator" });
  const { privateKey } = createCertificate({ name: "another" });
  await assert.rejects(startEmulator({ tls: { certificate, privateKey } }), EmulatorStartError);
});
