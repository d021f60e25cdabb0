import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync } from "node:fs";
import { test } from "node:test";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, keyServiceVariables, openBench, reload } from "./harness/bench.ts";
import type { Outcome } from "./harness/child.ts";
import type { ConfigDocument } from "./harness/config.ts";
import { skipWithoutSops, sopsPath } from "./harness/sops-binary.ts";

/** Nobody's: /etc/passwd need not know them. */
const ALICE = 20_001;
const BOB = 20_002;
const MALLORY = 20_003;
const GROUP = 20_100;

const keyOf = (team: string) => `projects/${team}/locations/global/keyRings/sops/cryptoKeys/k`;

function rulesFor(...teams: readonly string[]): readonly object[] {
  return teams.map((team) => ({
    name: team,
    match: `projects/${team}/locations/*/keyRings/*/cryptoKeys/*`,
    tokenSource: "shop",
    allow: [{ callers: [team], operations: ["encrypt", "decrypt"] }],
  }));
}

function skipReason(): string | false {
  if (process.getuid?.() !== 0) return "only root can become two other users";
  if (spawnSync("setpriv", ["--version"]).status !== 0) return "setpriv (util-linux) is missing";
  return skipWithoutSops;
}

/** sops of another user, who sees the bench's directory and nothing of root's. */
async function sopsAs(uid: number, bench: Bench, keyd: Keyd, args: readonly string[]): Promise<Outcome> {
  const become = ["--reuid", String(uid), "--regid", String(GROUP), "--clear-groups", "--no-new-privs"];
  const variables = { ...keyServiceVariables(keyd.address), HOME: "/nonexistent", TMPDIR: "/tmp" };
  const child = bench.start("setpriv", [...become, bench.path("sops"), ...args], variables);
  child.type("");
  return await child.ended();
}

const CALLERS = { alice: { unix: { uid: ALICE } }, bob: { unix: { uid: BOB, gid: GROUP } } };

async function serveFor(bench: Bench, changes: Partial<ConfigDocument>, args: readonly string[] = []): Promise<Keyd> {
  chmodSync(bench.directory, 0o755);
  copyFileSync(sopsPath(), bench.path("sops"));
  chmodSync(bench.path("sops"), 0o755);
  for (const team of ["alice", "bob"]) bench.write(`${team}.yaml`, `owner: ${team}\n`, 0o644);
  const listeners = [{ address: `unix://${bench.path("keyd.sock")}`, mode: "0666" }];
  return await bench.serve(bench.writeConfig({ listeners, ...changes }), args);
}

async function encryptedAs(uid: number, team: string, bench: Bench, keyd: Keyd): Promise<string> {
  const args = ["encrypt", "--gcp-kms", keyOf(team), `${team}.yaml`];
  const { stdout } = assertSucceeded(await sopsAs(uid, bench, keyd, args));
  bench.write(`${team}.enc.yaml`, stdout, 0o644);
  return `${team}.enc.yaml`;
}

test("two users by one socket: each gets its own keys and not the other's, a third gets none", {
  timeout: 120_000,
  skip: skipReason(),
}, async () => {
  await using bench = await openBench();
  const keyd = await serveFor(bench, { callers: CALLERS, rules: rulesFor("alice", "bob") });
  const ofAlice = await encryptedAs(ALICE, "alice", bench, keyd);
  const ofBob = await encryptedAs(BOB, "bob", bench, keyd);
  assert.equal(assertSucceeded(await sopsAs(ALICE, bench, keyd, ["decrypt", ofAlice])).stdout, "owner: alice\n");
  assert.equal(assertSucceeded(await sopsAs(BOB, bench, keyd, ["decrypt", ofBob])).stdout, "owner: bob\n");

  for (const [uid, file, rule] of [
    [ALICE, ofBob, "bob"],
    [BOB, ofAlice, "alice"],
    [MALLORY, ofAlice, "alice"],
  ] as const) {
    const outcome = await sopsAs(uid, bench, keyd, ["decrypt", file]);
    assert.notEqual(outcome.code, 0);
    assert.match(unwrapped(outcome), /code = PermissionDenied/);
    assert.match(unwrapped(outcome), new RegExp(`rule: ${rule}`));
  }
  const refused = unwrapped(await sopsAs(MALLORY, bench, keyd, ["decrypt", ofBob]));
  assert.match(refused, new RegExp(`a caller without a name at .* ?\\(uid ${MALLORY}, gid ${GROUP}\\)`));
});

test("a reload takes a user's name away and gives it to another, from the next call on", {
  timeout: 120_000,
  skip: skipReason(),
}, async () => {
  await using bench = await openBench();
  const keyd = await serveFor(bench, { callers: CALLERS, rules: rulesFor("alice", "bob") });
  const ofAlice = await encryptedAs(ALICE, "alice", bench, keyd);
  bench.writeConfig({ callers: { alice: { unix: { uid: MALLORY } } }, rules: rulesFor("alice") });
  await reload(keyd);
  assert.match(unwrapped(await sopsAs(ALICE, bench, keyd, ["decrypt", ofAlice])), /code = PermissionDenied/);
  assertSucceeded(await sopsAs(MALLORY, bench, keyd, ["decrypt", ofAlice]));
});

test("a server that starts without such callers knows them after a reload", {
  timeout: 120_000,
  skip: skipReason(),
}, async () => {
  await using bench = await openBench();
  const rules = rulesFor("alice").map((rule) => ({ ...rule, allow: [] }));
  const keyd = await serveFor(bench, { rules });
  const encrypt = ["encrypt", "--gcp-kms", keyOf("alice"), "alice.yaml"];
  assert.match(unwrapped(await sopsAs(ALICE, bench, keyd, encrypt)), /PermissionDenied/);
  bench.writeConfig({ callers: { alice: { unix: { uid: ALICE } } }, rules: rulesFor("alice") });
  await reload(keyd);
  assertSucceeded(await sopsAs(ALICE, bench, keyd, encrypt));
});

test("a sandboxed server knows who connects as well", { timeout: 120_000, skip: skipReason() }, async () => {
  await using bench = await openBench();
  const keyd = await serveFor(bench, { callers: CALLERS, rules: rulesFor("alice", "bob") }, ["--sandbox"]);
  await encryptedAs(ALICE, "alice", bench, keyd);
  const refused = await sopsAs(BOB, bench, keyd, ["encrypt", "--gcp-kms", keyOf("alice"), "bob.yaml"]);
  assert.match(unwrapped(refused), /code = PermissionDenied/);
});
