import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PeerCredentialsError } from "../../../src/access/socket-calls.ts";
import type { CallOrigin } from "../../../src/backends/backend.ts";
import type { UnixListenerConfig } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createKeyService, type KeyService } from "../../../src/key-service.ts";
import { startServer } from "../../../src/server/server.ts";
import { createUnixAdmit } from "../../../src/server/unix-admission.ts";
import type { CallRecord } from "../../../src/telemetry/call-record.ts";
import { createKeyClient } from "../../fakes/key-client.ts";
import { serverLimits } from "./limits.ts";

const KEY = { gcpKmsKey: { resourceId: "projects/p" } };
const PEER = { kind: "unix_peer", uid: process.geteuid?.(), gid: process.getegid?.(), pid: process.pid };

async function setUp(t: TestContext, identifyPeers: boolean) {
  const directory = mkdtempSync(join(tmpdir(), "admission-"));
  const listener: UnixListenerConfig = {
    kind: "unix",
    path: join(directory, "s"),
    mode: 0o600,
    group: undefined,
    caller: "socket",
  };
  const seen: CallOrigin[] = [];
  const answer: KeyService["decrypt"] = (_key, _payload, context) => {
    seen.push(context);
    return Promise.resolve(Buffer.from("x"));
  };
  const service = { encrypt: answer, decrypt: answer, refused() {} };
  const server = await startServer([listener], serverLimits(), service, systemClock, { identifyPeers });
  const client = createKeyClient(server.addresses[0] ?? "");
  t.after(async () => {
    client.close();
    await server.drain();
    rmSync(directory, { recursive: true });
  });
  return { server, client, seen, listener };
}

test("a call by a unix socket comes with the process at the other end, and with the listener's name for it", async (t) => {
  const { client, seen } = await setUp(t, true);
  await client.decrypt(KEY, Buffer.from("c"));
  assert.deepEqual(seen[0]?.caller.proofs, [{ kind: "listener", caller: "socket" }, PEER]);
});

test("nobody is asked who connects as long as no caller is told by it; then open connections are known as well", async (t) => {
  const { server, client, seen } = await setUp(t, false);
  await client.decrypt(KEY, Buffer.from("c"));
  server.identifyPeers();
  await client.decrypt(KEY, Buffer.from("c"));
  assert.deepEqual(
    seen.map(({ caller }) => caller.proofs.slice(1)),
    [[], [PEER]],
  );
});

test("a peer that the kernel does not name is refused in words, and in the record", async () => {
  const listener = { kind: "unix", path: "/s", mode: 0o600, group: undefined, caller: "socket" } as const;
  const admit = createUnixAdmit(listener, "unix:///s", () => () => {
    throw new PeerCredentialsError("the kernel does not say who has connected");
  });
  const { origin } = admit({} as never);
  const records: CallRecord[] = [];
  const nobody = () => assert.fail("a refused call went on");
  const service = createKeyService(
    () => ({ identify: (caller) => caller, authenticate: nobody, gcpKms: { encrypt: nobody, decrypt: nobody } }),
    systemClock,
    (record) => records.push(record),
  );
  const context = { ...origin, signal: new AbortController().signal };
  await assert.rejects(service.decrypt({ type: "gcp_kms", resourceId: "k" }, Buffer.from("c"), context), {
    code: "caller_unauthenticated",
    message:
      "it is not known who has connected: the kernel does not say who has connected\n" +
      "to do: connect again; if it stays, name callers by their listeners instead of by unix",
  });
  assert.deepEqual(
    records.map(({ outcome }) => outcome),
    ["caller_unauthenticated"],
  );
});

test("a peer that cannot be asked for, for whatever reason, is refused and ends nothing else", () => {
  const listener = { kind: "unix", path: "/s", mode: 0o600, group: undefined, caller: undefined } as const;
  const admit = createUnixAdmit(listener, "unix:///s", () => () => {
    throw new TypeError("CANARY");
  });
  const { refusal } = admit({} as never).origin;
  assert.equal(refusal?.code, "caller_unauthenticated");
  assert.match(refusal.message, /the kernel could not be asked/);
  assert.doesNotMatch(refusal.message, /CANARY/);
});
