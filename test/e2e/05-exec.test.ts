import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, testOnBench, testWithSops } from "./harness/bench.ts";
import { eventually } from "./harness/bounded.ts";
import type { Child } from "./harness/child.ts";
import { KEY } from "./harness/config.ts";
import { sopsPath } from "./harness/sops-binary.ts";

/** Prints where its key service is and what process it is, then waits for a signal. */
const WAITING = `echo "$SOPS_KEYSERVICE $PPID $$"; exec sleep 60`;

function exec(bench: Bench, ...command: readonly string[]): Child {
  return bench.startKeyd(["exec", "--config", bench.writeConfig(), "--", ...command]);
}

testWithSops("exec runs sops with a key service of its own", async (bench) => {
  bench.write("secret.yaml", "password: executed\n");
  assertSucceeded(await exec(bench, sopsPath(), "encrypt", "--gcp-kms", KEY, "-i", "secret.yaml").ended());
  const outcome = assertSucceeded(await exec(bench, sopsPath(), "decrypt", "secret.yaml").ended());
  assert.equal(outcome.stdout, "password: executed\n");
  assert.equal(outcome.stderr, "");
  assertNothingLeft(bench);
});

testWithSops("exec passes the exit code of a sops that fails on, and its message", async (bench) => {
  bench.write("secret.yaml", "password: executed\n");
  assertSucceeded(await exec(bench, sopsPath(), "encrypt", "--gcp-kms", KEY, "-i", "secret.yaml").ended());
  bench.emulator.admin.setAccess(KEY, []);
  const outcome = await exec(bench, sopsPath(), "decrypt", "secret.yaml").ended();
  assert.equal(outcome.code, 128);
  assert.match(outcome.stderr, /roles\/cloudkms\.cryptoKeyDecrypter/);
  assertNothingLeft(bench);
});

for (const code of [0, 1, 7, 255]) {
  testOnBench(`exec exits with ${code} where the command does`, async (bench) => {
    assert.equal((await exec(bench, "sh", "-c", `exit ${code}`).ended()).code, code);
    assertNothingLeft(bench);
  });
}

testOnBench("exec refuses what only connects where it does not connect", async (bench) => {
  const outcome = await bench
    .startKeyd(["exec", "--config", bench.writeConfig(), "--jwt", "github", "--", "true"])
    .ended();
  assert.equal(outcome.code, 2);
  assert.match(outcome.stderr, /--jwt goes with --connect/);
});

const SIGNALS = [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const;

for (const [signal, code] of SIGNALS) {
  testOnBench(`exec passes ${signal} on to the command and exits with ${code}`, async (bench) => {
    const child = exec(bench, "sh", "-c", WAITING);
    const [, socket = "", , pid = ""] = await child.waitFor("stdout", /^unix:\/\/(\S+) (\d+) (\d+)$/m);
    assert.ok(existsSync(socket));
    child.signal(signal);
    assert.equal((await child.ended()).code, code);
    assert.ok(!isAlive(Number(pid)), "the command goes on");
    assertNothingLeft(bench);
  });
}

testOnBench("a signal that comes before the command has started ends it too, and leaves nothing", async (bench) => {
  const child = exec(bench, "sh", "-c", "exec sleep 60");
  await eventually(10_000, "exec makes its directory", () => readdirSync(bench.path("tmp")).length > 0);
  child.signal("SIGTERM");
  assert.equal((await child.ended()).code, 143);
  assertNothingLeft(bench);
});

testOnBench("a command that takes SIGTERM its own way ends its own way under exec", async (bench) => {
  const child = exec(
    bench,
    "sh",
    "-c",
    'trap "echo ended well; exit 5" TERM; echo ready; while :; do sleep 0.05; done',
  );
  await child.waitFor("stdout", /ready/);
  child.signal("SIGTERM");
  const { code, stdout } = await child.ended();
  assert.deepEqual([code, stdout], [5, "ready\nended well\n"]);
  assertNothingLeft(bench);
});

testOnBench("exec of a command that is not there exits with 2 and says so", async (bench) => {
  const { code, stderr } = await exec(bench, "no-such-command").ended();
  assert.equal(code, 2);
  assert.match(stderr, /there is no command "no-such-command"/);
  assertNothingLeft(bench);
});

testOnBench("the socket of exec is for its own user alone", async (bench) => {
  const child = exec(bench, "sh", "-c", WAITING);
  const [, socket = ""] = await child.waitFor("stdout", /^unix:\/\/(\S+) /m);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
  child.signal("SIGTERM");
  await child.ended();
});

/** TMPDIR is the bench's own, so whatever exec left would be here. */
function assertNothingLeft(bench: Bench): void {
  assert.deepEqual(readdirSync(bench.path("tmp")), []);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
