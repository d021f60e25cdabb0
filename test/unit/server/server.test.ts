import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { Client, credentials, status } from "@grpc/grpc-js";
import type { CallOrigin } from "../../../src/backends/backend.ts";
import type { SopsKey } from "../../../src/backends/sops-key.ts";
import type { ListenerConfig } from "../../../src/config/config.ts";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import type { CallContext, KeyService } from "../../../src/key-service.ts";
import { checkHealth } from "../../../src/server/health-client.ts";
import { startServer } from "../../../src/server/server.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createKeyClient } from "../../fakes/key-client.ts";
import type { KeyMessage } from "../../fakes/key-messages.ts";
import { serverLimits, TCP_LISTENER } from "./limits.ts";

const LIMITS = serverLimits();
const TCP = TCP_LISTENER;
const GCP_KEY: KeyMessage = { gcpKmsKey: { resourceId: "projects/p" } };

type Answer = (key: SopsKey, payload: Buffer, context: CallContext) => Promise<Buffer>;

async function setUp(t: TestContext, answer: Answer, more: readonly ListenerConfig[] = [], clock: Clock = systemClock) {
  const service: KeyService = { encrypt: answer, decrypt: answer, refused() {} };
  const server = await startServer([TCP, ...more], LIMITS, service, clock);
  const clients = server.addresses.map(createKeyClient);
  t.after(async () => {
    for (const client of clients) client.close();
    await server.drain();
  });
  const [client] = clients;
  assert.ok(client !== undefined);
  return { server, client, clients };
}

function statusIs(code: status, details: RegExp = /./) {
  return (thrown: unknown) => {
    const { code: got, details: said } = thrown as { code: status; details: string };
    assert.equal(status[got], status[code], said);
    assert.match(said, details);
    return true;
  };
}

describe("the gRPC server", () => {
  test("hands key and payload to the service and its answer back, byte by byte", async (t) => {
    const payload = randomBytes(33);
    const reply = randomBytes(90);
    const seen: unknown[] = [];
    const { client } = await setUp(t, (key, bytes) => {
      seen.push(key, Buffer.from(bytes));
      return Promise.resolve(Buffer.from(reply));
    });
    assert.deepEqual(await client.encrypt(GCP_KEY, payload), reply);
    assert.deepEqual(seen, [{ type: "gcp_kms", resourceId: "projects/p" }, payload]);
  });

  test("decodes all seven kinds of key", async (t) => {
    const seen: SopsKey[] = [];
    const { client } = await setUp(t, (key) => {
      seen.push(key);
      return Promise.resolve(Buffer.from("x"));
    });
    for (const key of [
      GCP_KEY,
      { kmsKey: { arn: "arn:aws:kms:x" } },
      { pgpKey: { fingerprint: "F00" } },
      { azureKeyvaultKey: { vaultUrl: "https://v", name: "n", version: "1" } },
      { vaultKey: { vaultAddress: "https://v", enginePath: "transit", keyName: "n" } },
      { ageKey: { recipient: "age1" } },
      { hckmsKey: { keyId: "h" } },
    ]) {
      await client.decrypt(key, Buffer.from("c"));
    }
    const types = seen.map(({ type }) => type);
    assert.deepEqual(types, ["gcp_kms", "aws_kms", "pgp", "azure_keyvault", "vault", "age", "hckms"]);
  });

  test("answers a request without a key with UNIMPLEMENTED", async (t) => {
    const { client } = await setUp(t, () => Promise.resolve(Buffer.from("x")));
    await assert.rejects(client.encrypt({}, Buffer.from("p")), statusIs(status.UNIMPLEMENTED, /no key of a kind/));
  });

  test("answers bytes that are no request with INVALID_ARGUMENT", async (t) => {
    const { server } = await setUp(t, () => Promise.resolve(Buffer.from("x")));
    const client = new Client((server.addresses[0] ?? "").replace("tcp://", ""), credentials.createInsecure());
    t.after(() => client.close());
    const raw = (bytes: Buffer) => bytes;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    client.makeUnaryRequest("/KeyService/Decrypt", raw, raw, Buffer.of(0x0a, 0x7f), (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
    await assert.rejects(promise, statusIs(status.INVALID_ARGUMENT, /damaged: a field is longer/));
  });

  test("never answers OK with empty bytes", async (t) => {
    const { client } = await setUp(t, () => Promise.resolve(Buffer.alloc(0)));
    await assert.rejects(client.encrypt(GCP_KEY, Buffer.from("p")), statusIs(status.INTERNAL, /empty/));
  });

  test("keeps the cause of an error off the wire", async (t) => {
    const { client } = await setUp(t, () => Promise.reject(new Error("CANARY in an error that nobody foresaw")));
    await assert.rejects(client.decrypt(GCP_KEY, Buffer.from("c")), (thrown: unknown) => {
      assert.doesNotMatch(String((thrown as Error).message), /CANARY/);
      return statusIs(status.INTERNAL)(thrown);
    });
  });

  test("keeps the lines of a message", async (t) => {
    const failure = new KeyServiceError("rule_not_found", { problem: "no rule", remedy: "write one" });
    const { client } = await setUp(t, () => Promise.reject(failure));
    await assert.rejects(
      client.decrypt(GCP_KEY, Buffer.from("c")),
      statusIs(status.PERMISSION_DENIED, /^no rule\nto do/),
    );
  });

  test("refuses a message that is larger than its limit", async (t) => {
    const { client } = await setUp(t, () => Promise.resolve(Buffer.from("x")));
    await assert.rejects(client.encrypt(GCP_KEY, Buffer.alloc(5_000)), statusIs(status.RESOURCE_EXHAUSTED));
  });

  test("tells the service which listener a call came by, and whose it is", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "server-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "a.sock");
    const seen: CallOrigin[] = [];
    const unix: ListenerConfig = { kind: "unix", path, mode: 0o600, group: undefined, caller: "team-a" };
    const { clients } = await setUp(
      t,
      (_key, _payload, origin) => {
        seen.push(origin);
        return Promise.resolve(Buffer.from("x"));
      },
      [unix],
    );
    for (const client of clients) await client.decrypt(GCP_KEY, Buffer.from("c"));
    assert.deepEqual(
      seen.map(({ caller, listenerIsLocal }) => [caller.names, listenerIsLocal]),
      [
        [["tcp-caller"], true],
        [["team-a"], true],
      ],
    );
  });

  test("follows a call that its caller cancels", async (t) => {
    const arrived = Promise.withResolvers<AbortSignal>();
    const { client } = await setUp(t, (_key, _payload, { signal }) => {
      arrived.resolve(signal);
      return new Promise(() => {});
    });
    const caller = new AbortController();
    const answer = client.decrypt(GCP_KEY, Buffer.from("c"), { signal: caller.signal });
    const signal = await arrived.promise;
    caller.abort();
    await assert.rejects(answer, statusIs(status.CANCELLED));
    if (!signal.aborted) await once(signal, "abort");
    assert.equal(signal.reason.code, "cancelled");
  });

  test("does not call an answered call cancelled, as grpc-js does", async (t) => {
    const signals: AbortSignal[] = [];
    const { client } = await setUp(t, (_key, _payload, { signal }) => {
      signals.push(signal);
      return Promise.resolve(Buffer.from("x"));
    });
    // The first one's stream has closed by the time that the third is answered.
    for (let call = 0; call < 3; call++) await client.decrypt(GCP_KEY, Buffer.from("c"));
    assert.equal(signals[0]?.aborted, false);
  });

  test("takes over the caller's deadline", async (t) => {
    const clock = createFakeClock({ startMs: Date.now() });
    const arrived = Promise.withResolvers<AbortSignal>();
    const { client } = await setUp(
      t,
      (_key, _payload, { signal }) => {
        arrived.resolve(signal);
        return new Promise(() => {});
      },
      [],
      clock,
    );
    const caller = new AbortController();
    const options = { deadline: Date.now() + 60_000, signal: caller.signal };
    const refused = assert.rejects(client.decrypt(GCP_KEY, Buffer.from("c"), options));
    const signal = await arrived.promise;
    clock.advance(61_000);
    assert.equal(signal.reason.code, "deadline_exceeded");
    caller.abort();
    await refused;
  });

  test("takes no more connections than its limit", async (t) => {
    const { server } = await setUp(t, () => Promise.resolve(Buffer.from("x")));
    const port = Number(server.addresses[0]?.split(":").at(-1));
    const sockets = [1, 2, 3].map(() => createConnection(port, "127.0.0.1"));
    await Promise.race(sockets.map((socket) => once(socket, "close")));
    assert.equal(sockets.filter(({ destroyed }) => destroyed).length, 1);
    for (const socket of sockets) socket.destroy();
  });

  test("reports its health", async (t) => {
    const { server } = await setUp(t, () => Promise.resolve(Buffer.from("x")));
    assert.deepEqual(await checkHealth(server.addresses[0] ?? "", 5_000), { serving: true });
  });

  test("closes what it has opened when a later listener can't be", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "server-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const first: ListenerConfig = {
      kind: "unix",
      path: join(directory, "a"),
      mode: 0o600,
      group: undefined,
      caller: undefined,
    };
    const service: KeyService = {
      encrypt: () => Promise.reject(),
      decrypt: () => Promise.reject(),
      refused() {},
    };
    const bad: ListenerConfig = { ...first, path: join(directory, "b"), group: "no-such-group" };
    await assert.rejects(startServer([first, bad], LIMITS, service, systemClock), /no group/);
    assert.equal(existsSync(first.path), false);
  });
});
