/** The process ends, is killed, or has no more of what a process needs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { assertSucceeded } from "../e2e/harness/assert-outcome.ts";
import { type Bench, type Keyd, readReadiness, testOnBench } from "../e2e/harness/bench.ts";
import { eventually } from "../e2e/harness/bounded.ts";
import { KEY } from "../e2e/harness/config.ts";
import { ROOT } from "../e2e/harness/sops-binary.ts";
import { createKeyClient, type KeyClient } from "../fakes/key-client.ts";
import { type NamedFault, nameOf } from "./harness/withstand.ts";

const TERMINATED: NamedFault = {
  fault: "SIGTERM under load",
  promise: "what was taken is answered and on record, what comes later is told to go elsewhere, exit code 0",
  sees: "the right answer, or UNAVAILABLE",
};
const KILLED: NamedFault = {
  fault: "SIGKILL with the socket left",
  promise: "the next start takes its place, and serves",
  sees: "UNAVAILABLE until then",
};
const NO_DESCRIPTORS: NamedFault = {
  fault: "file descriptors exhausted",
  promise: "who is connected is served or told why, and all is well once they are back",
  sees: "the right answer, or UNAVAILABLE",
};
const COMING_AND_GOING: NamedFault = {
  fault: "clients that come and go for long",
  promise: "as many descriptors as before",
  sees: "the right answer",
};

const WIRE_KEY = { gcpKmsKey: { resourceId: KEY } };

/** A data key there and back. */
async function roundTrip(client: KeyClient): Promise<void> {
  const dataKey = randomBytes(32);
  assert.deepEqual(await client.decrypt(WIRE_KEY, await client.encrypt(WIRE_KEY, dataKey)), dataKey);
}

interface Load {
  readonly answered: number;
  /** What ended each lane; the first failure is its last call. */
  readonly failures: readonly string[];
  /** Resolves when every lane has met a failure. */
  ended(): Promise<void>;
}

/** Round trips without a pause, each lane by a connection of its own, until they fail. A wrong answer fails the test. */
function startLoad(address: string, lanes: number): Load {
  const failures: string[] = [];
  let answered = 0;
  const lane = async () => {
    const client = createKeyClient(address);
    try {
      for (;;) {
        await roundTrip(client);
        answered += 1;
      }
    } catch (thrown) {
      if (thrown instanceof assert.AssertionError) throw thrown;
      failures.push((thrown as ServiceError).message);
    } finally {
      client.close();
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  return {
    get answered() {
      return answered;
    },
    failures,
    async ended() {
      await running;
    },
  };
}

testOnBench(nameOf(TERMINATED), async (bench) => {
  const audit = { file: "audit.jsonl", required: true };
  const keyd = await bench.serve(bench.writeConfig({ audit }));
  const load = startLoad(keyd.address, 16);
  await eventually(20_000, "there is load", () => load.answered >= 50);
  keyd.child.signal("SIGTERM");
  const { code, stderr } = await keyd.child.ended();
  await load.ended();
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /calls unanswered/);
  assert.equal(load.failures.length, 16);
  for (const failure of load.failures) assert.match(failure, /^14 UNAVAILABLE/);
  assert.ok(!existsSync(bench.path("keyd.sock")), "the socket is gone");
  assert.match(bench.read("audit.jsonl").toString(), /"event":"stopped"/);
  assertSucceeded(await bench.keyd(["audit", "verify", bench.path("audit.jsonl")]));
});

testOnBench(nameOf(KILLED), async (bench) => {
  const killed = await bench.serve();
  const client = createKeyClient(killed.address);
  await roundTrip(client);
  killed.child.signal("SIGKILL");
  await killed.child.ended();
  assert.ok(existsSync(bench.path("keyd.sock")), "a socket was left, or this tests nothing");
  const next = await bench.serve();
  assert.equal(next.address, killed.address);
  const clientOfNext = createKeyClient(next.address);
  await roundTrip(clientOfNext);
  for (const each of [client, clientOfNext]) each.close();
});

const DESCRIPTORS = 80;

/** A server that may open so many files and sockets. */
async function serveWithin(bench: Bench, descriptors: number): Promise<Keyd> {
  const command = `ulimit -n ${descriptors} && exec "$0" "$@"`;
  const main = join(ROOT, "src", "main.ts");
  const args = [process.execPath, main, "serve", "--config", bench.writeConfig(), "--json"];
  const child = bench.start("sh", ["-c", command, ...args]);
  return { child, ...(await readReadiness(child)) };
}

function descriptorsOf({ child }: Keyd): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

if (process.platform === "linux") {
  testOnBench(nameOf(NO_DESCRIPTORS), async (bench) => {
    const keyd = await serveWithin(bench, DESCRIPTORS);
    const client = createKeyClient(keyd.address);
    await roundTrip(client);
    const before = descriptorsOf(keyd);
    const path = keyd.address.replace("unix://", "");
    const sockets: Socket[] = [];
    for (let opened = 0; opened < 2 * DESCRIPTORS; opened += 1) sockets.push(connect(path).on("error", () => {}));
    await eventually(10_000, "there are none left", () => descriptorsOf(keyd) >= DESCRIPTORS - 1);
    await roundTrip(client).catch((thrown: ServiceError) => assert.match(thrown.message, /EMFILE|UNAVAILABLE/));
    for (const socket of sockets) socket.destroy();
    await eventually(10_000, "they are back", () => descriptorsOf(keyd) <= before + 2);
    const late = createKeyClient(keyd.address);
    for (const each of [client, late]) {
      await roundTrip(each);
      each.close();
    }
    keyd.child.signal("SIGTERM");
    assert.equal((await keyd.child.ended()).code, 0);
  });

  testOnBench(nameOf(COMING_AND_GOING), async (bench) => {
    const keyd = await bench.serve();
    const client = createKeyClient(keyd.address);
    await roundTrip(client);
    const before = descriptorsOf(keyd);
    for (let turn = 0; turn < 200; turn += 1) {
      const passing = createKeyClient(keyd.address);
      if (turn % 2 === 0) await roundTrip(passing);
      passing.close();
    }
    await eventually(10_000, "they are let go", () => descriptorsOf(keyd) <= before + 1);
    client.close();
  });
}
