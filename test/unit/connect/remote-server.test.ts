import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { status } from "@grpc/grpc-js";
import { createRemoteServer, type RemoteOutcome } from "../../../src/connect/remote-server.ts";
import { parseServerUrl } from "../../../src/connect/server-url.ts";
import { createTlsIdentity, type TlsFiles } from "../../../src/connect/tls-identity.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createCertificate, type TestCertificate } from "../../fakes/certificates.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { type Respond, startTlsKeyService } from "../../fakes/tls-key-service.ts";

const AUTHORITY = createCertificate({ name: "authority", authority: true });
const SERVER = createCertificate({ name: "server", issuer: AUTHORITY, address: "127.0.0.1" });
const CLIENT = createCertificate({ name: "client", issuer: AUTHORITY });
const OTHER = createCertificate({ name: "other authority", authority: true });

const echo: Respond = (call, callback) => callback(null, call.request);
const tellName: Respond = (call, callback) =>
  callback(null, Buffer.from(String(call.getAuthContext().sslPeerCertificate?.subject.CN)));

interface SetUp {
  readonly url: string;
  readonly ca?: TestCertificate;
  readonly client?: TestCertificate;
}

function setUp(t: TestContext, { url, ca = AUTHORITY, client }: SetUp) {
  const directory = mkdtempSync(join(tmpdir(), "connect-"));
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const writePair = (pair: TestCertificate) => ({
    certificate: write("tls.crt", pair.certificate),
    privateKey: write("tls.key", pair.privateKey),
  });
  const none = { certificate: undefined, privateKey: undefined };
  const files: TlsFiles = {
    ca: write("ca.crt", ca.certificate),
    ...(client === undefined ? none : writePair(client)),
  };
  const clock = createFakeClock();
  const warnings: string[] = [];
  const identity = createTlsIdentity(files, undefined, clock, (message) => warnings.push(message));
  const parsed = parseServerUrl(url);
  assert.ok(typeof parsed !== "string");
  const server = createRemoteServer(parsed, identity);
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const ask = (token?: Secret, timeoutMs = 10_000): Promise<RemoteOutcome> =>
    server.ask(
      { path: "/KeyService/Decrypt", request: Buffer.from("request"), deadlineAtMs: Date.now() + timeoutMs },
      token,
      new AbortController().signal,
    );
  return { ask, server, clock, warnings, write, writePair };
}

function reasonOf(outcome: RemoteOutcome): string {
  assert.equal(outcome.kind, "unreachable");
  return outcome.kind === "unreachable" ? outcome.reason : "";
}

describe("a server elsewhere", () => {
  test("gets the message as it is, by TLS with our certificate, and its answer comes back as it is", async (t) => {
    await using service = await startTlsKeyService(SERVER, AUTHORITY, echo);
    const { ask } = setUp(t, { url: service.url, client: CLIENT });
    assert.deepEqual(await ask(), { kind: "answered", response: Buffer.from("request") });
  });

  test("gets the identity token as a bearer", async (t) => {
    const seen: unknown[] = [];
    await using service = await startTlsKeyService(SERVER, undefined, (call, callback) => {
      seen.push(call.metadata.get("authorization"));
      callback(null, call.request);
    });
    await setUp(t, { url: service.url }).ask(new Secret("a.b.c"));
    assert.deepEqual(seen, [["Bearer a.b.c"]]);
  });

  test("has its refusal passed on word for word, however long and in lines", async (t) => {
    const details = `${"words ".repeat(200)}\nkey: x\nto do: nothing`;
    await using service = await startTlsKeyService(SERVER, undefined, (_call, callback) =>
      callback({ code: status.PERMISSION_DENIED, details }),
    );
    assert.deepEqual(await setUp(t, { url: service.url }).ask(), {
      kind: "refused",
      code: status.PERMISSION_DENIED,
      details,
    });
  });

  test("that is not there is unreachable, and it is said why", async (t) => {
    const gone = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => gone.once("listening", resolve));
    const { port } = gone.address() as { port: number };
    await new Promise((resolve) => gone.close(resolve));
    assert.match(reasonOf(await setUp(t, { url: `tls://127.0.0.1:${port}` }).ask()), /^connect ECONNREFUSED 127/);
  });

  test("whose certificate another authority made is unreachable, and it is said why", async (t) => {
    await using service = await startTlsKeyService(SERVER, undefined, echo);
    const reason = reasonOf(await setUp(t, { url: service.url, ca: OTHER }).ask());
    assert.match(reason, /^unable to (?:verify the first certificate|get (?:local )?issuer certificate)$/);
  });

  test("whose certificate is for another name is unreachable, and it is said why", async (t) => {
    const elsewhere = createCertificate({ name: "x", issuer: AUTHORITY, address: "elsewhere.example.com" });
    await using service = await startTlsKeyService(elsewhere, undefined, echo);
    assert.match(reasonOf(await setUp(t, { url: service.url }).ask()), /does not match certificate/);
  });

  test("that speaks no TLS 1.3 is unreachable", async (t) => {
    const old = createTlsServer({ cert: SERVER.certificate, key: SERVER.privateKey, maxVersion: "TLSv1.2" });
    old.listen(0, "127.0.0.1");
    await new Promise((resolve) => old.once("listening", resolve));
    t.after(() => old.close());
    const { port } = old.address() as { port: number };
    assert.match(reasonOf(await setUp(t, { url: `tls://127.0.0.1:${port}` }).ask()), /protocol version/);
  });

  test("that says nothing is given up at the deadline", async (t) => {
    await using service = await startTlsKeyService(SERVER, undefined, () => {});
    const outcome = await setUp(t, { url: service.url }).ask(undefined, 500);
    assert.equal(outcome.kind === "refused" && outcome.code, status.DEADLINE_EXCEEDED);
  });

  test("is told when the caller goes away", async (t) => {
    const asked = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    await using service = await startTlsKeyService(SERVER, undefined, (call) => {
      call.once("cancelled", () => cancelled.resolve());
      asked.resolve();
    });
    const { server } = setUp(t, { url: service.url });
    const caller = new AbortController();
    const call = { path: "/KeyService/Decrypt", request: Buffer.from("x"), deadlineAtMs: Date.now() + 10_000 };
    const answer = server.ask(call, undefined, caller.signal);
    await asked.promise;
    caller.abort();
    await assert.rejects(answer, { code: "cancelled" });
    await cancelled.promise;
  });
});

describe("a client certificate", () => {
  test("that is replaced is shown from the next call on", async (t) => {
    await using service = await startTlsKeyService(SERVER, AUTHORITY, tellName);
    const { ask, clock, writePair } = setUp(t, { url: service.url, client: CLIENT });
    assert.deepEqual(await ask(), { kind: "answered", response: Buffer.from("client") });
    writePair(createCertificate({ name: "renewed", issuer: AUTHORITY }));
    clock.advance(1_000);
    assert.deepEqual(await ask(), { kind: "answered", response: Buffer.from("renewed") });
  });

  test("that is replaced while a call waits for a connection is shown by that call as well", async (t) => {
    await using service = await startTlsKeyService(SERVER, AUTHORITY, tellName);
    const sockets: Socket[] = [];
    const first = Promise.withResolvers<void>();
    const keep = (socket: Socket) => sockets.push(socket.on("error", () => {}));
    // Says nothing to the first connection, and is the service to the others.
    const way = createServer((socket) => {
      if (keep(socket) === 1) {
        first.resolve();
        return;
      }
      const onward = connectTcp(service.port, "127.0.0.1");
      keep(onward);
      socket.pipe(onward).pipe(socket);
    }).listen(0, "127.0.0.1");
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      way.close();
    });
    await new Promise((resolve) => way.once("listening", resolve));
    const { port } = way.address() as { port: number };
    const { ask, clock, writePair } = setUp(t, { url: `tls://127.0.0.1:${port}`, client: CLIENT });
    const waiting = ask();
    await first.promise;
    writePair(createCertificate({ name: "renewed", issuer: AUTHORITY }));
    clock.advance(1_000);
    const renewed = { kind: "answered", response: Buffer.from("renewed") };
    assert.deepEqual(await Promise.all([ask(), waiting]), [renewed, renewed]);
  });

  test("that is replaced by a bad one stays, and the log says so", async (t) => {
    await using service = await startTlsKeyService(SERVER, AUTHORITY, tellName);
    const { ask, clock, warnings, write } = setUp(t, { url: service.url, client: CLIENT });
    write("tls.key", OTHER.privateKey);
    clock.advance(1_000);
    assert.deepEqual(await ask(), { kind: "answered", response: Buffer.from("client") });
    assert.match(
      warnings.join(),
      /the old client certificate stays: the certificates for the connection cannot be used/,
    );
  });

  test("whose file becomes a link in a circle stays, and the log says so", async (t) => {
    await using service = await startTlsKeyService(SERVER, AUTHORITY, tellName);
    const { ask, clock, warnings, write } = setUp(t, { url: service.url, client: CLIENT });
    const path = write("tls.crt", CLIENT.certificate);
    rmSync(path);
    symlinkSync(path, path);
    clock.advance(1_000);
    assert.deepEqual(await ask(), { kind: "answered", response: Buffer.from("client") });
    assert.match(warnings.join(), /the old client certificate stays: .*tls\.crt cannot be read/);
  });

  test("that is not there is refused at the start, by its path", () => {
    const files = { ca: "/nowhere/ca.crt", certificate: undefined, privateKey: undefined };
    assert.throws(
      () => createTlsIdentity(files, undefined, createFakeClock(), () => {}),
      (thrown: unknown) =>
        thrown instanceof KeyServiceError && thrown.message.includes("/nowhere/ca.crt cannot be read"),
    );
  });

  test("whose key is another's is refused at the start", (t) => {
    const mixed = { ...CLIENT, privateKey: OTHER.privateKey };
    assert.throws(
      () => setUp(t, { url: "tls://127.0.0.1:1", client: mixed }),
      (thrown: unknown) =>
        thrown instanceof KeyServiceError && /key must be that of the certificate/.test(thrown.message),
    );
  });
});
