import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand } from "./run-command.ts";

const EXAMPLE = new URL("../../../examples/multi-tenant.yaml", import.meta.url).pathname;
const KEY_A = "projects/team-a-prod/locations/europe-west1/keyRings/r/cryptoKeys/k";
const KEY_B = "projects/team-b-prod/locations/us/keyRings/r/cryptoKeys/k";

test("an allowed request ends with 0 and tells rule, sources and why", async () => {
  const { exitCode, stdout, stderr } = await runCommand(["explain", "--config", EXAMPLE, "--caller", "team-b", KEY_B]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.deepEqual(stdout.split("\n"), [
    "decision      allowed",
    "why           allow[0] of the rule lets caller team-b decrypt",
    `key           ${KEY_B}`,
    "operation     decrypt",
    "caller        team-b, by unix:///run/sops-keyd/team-b.sock",
    "rule          team-b",
    "match         projects/team-b-*/locations/*/keyRings/*/cryptoKeys/*",
    "token source  team-b (impersonated_service_account: sops-team-b@platform-prod.iam.gserviceaccount.com, from machine (metadata: account default))",
    "cloud kms     https://cloudkms.googleapis.com (rest, 10s for a call, 3s for an attempt)",
    "tried         1. team-a: project id does not fit projects/team-a-*/locations/europe-west1/keyRings/*/cryptoKeys/*",
    "              2. team-b: matches",
    "",
  ]);
});

test("a refused request ends with 1 and says what would let it in", async () => {
  const { exitCode, stdout } = await runCommand(["explain", "--config", EXAMPLE, "--caller", "team-b", KEY_A]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^decision {6}refused \(caller_not_allowed\)\nwhy .*team-b\nto do .*add team-b to the callers/);
});

test("--operation and --json are for programs", async () => {
  const { exitCode, stdout } = await runCommand([
    "explain",
    "--json",
    "--config",
    EXAMPLE,
    "--caller",
    "team-a",
    "--operation",
    "encrypt",
    KEY_A,
  ]);
  assert.equal(exitCode, 1);
  const { decision, code, rule, operation, trail } = JSON.parse(stdout);
  assert.deepEqual([decision, code, rule, operation], ["refused", "caller_not_allowed", "team-a", "encrypt"]);
  assert.equal(trail.length, 1);
});

test("a name that is no key's is refused in printable text", async () => {
  const { exitCode, stdout } = await runCommand(["explain", "--config", EXAMPLE, "../../evil?x=1\u001b[31m"]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /refused \(key_name_invalid\)/);
  assert.ok(!stdout.includes("\u001b"));
});

test("a bad config ends with 2 before anything is decided", async () => {
  const { exitCode, stdout, stderr } = await runCommand(["explain", "--config", "/does/not/exist.yaml", KEY_A]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /no such file/);
});
