import assert from "node:assert/strict";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { googleVariables, readReadiness, testOnBench, testWithDirectSops, testWithSops } from "./harness/bench.ts";
import { KEY } from "./harness/config.ts";

const COMMANDS = ["serve", "exec", "check", "explain", "emulator", "health", "complete"];

testOnBench("check accepts a good config and tells all that is wrong with a bad one", async (bench) => {
  const good = assertSucceeded(await bench.keyd(["check", "--config", bench.writeConfig()]));
  assert.match(good.stdout, /config\.yaml \(--config\): OK\nlisteners: 1, token sources: 1, rules: 1\n/);

  bench.write("bad.yaml", "version: 1\nlistenres: []\nrules:\n  - name: shop\n    match: projects/shop\n");
  const bad = await bench.keyd(["check", "--config", "bad.yaml"]);
  assert.equal(bad.code, 2);
  for (const part of [/bad\.yaml:2:\d+.*listenres/, /bad\.yaml:5:\d+.*rules\[0\]\.match/, /rules\[0\]\.tokenSource/]) {
    assert.match(bad.stderr, part);
  }
  const json = await bench.keyd(["check", "--config", "bad.yaml", "--json"]);
  assert.equal(json.code, 2);
  assert.equal((JSON.parse(json.stdout) as { ok: boolean }).ok, false);
});

testOnBench("explain says which rule decides, and exits with 1 where the request is refused", async (bench) => {
  const config = bench.writeConfig();
  const allowed = assertSucceeded(await bench.keyd(["explain", "--config", config, KEY]));
  assert.match(allowed.stdout, /^decision +allowed\n/);
  assert.match(allowed.stdout, /^rule +shop$/m);
  const refused = await bench.keyd(["explain", "--config", config, "--json", KEY.replace("shop", "other")]);
  assert.equal(refused.code, 1);
  const { decision, code } = JSON.parse(refused.stdout) as { decision: string; code: string };
  assert.deepEqual([decision, code], ["refused", "rule_not_found"]);
  assert.deepEqual(bench.emulator.admin.requests().counts, {}, "explain asks nobody");
});

testOnBench("health exits with 0 while a server serves and with 1 when none does", async (bench) => {
  const config = bench.writeConfig();
  const keyd = await bench.serve(config);
  const serving = assertSucceeded(await bench.keyd(["health", keyd.address]));
  assert.equal(serving.stdout, `${keyd.address} is serving\n`);
  const json = assertSucceeded(await bench.keyd(["health", "--config", config, "--json"]));
  assert.deepEqual(JSON.parse(json.stdout), { address: keyd.address, serving: true });
  keyd.child.signal("SIGTERM");
  await keyd.child.ended();
  const gone = await bench.keyd(["health", keyd.address]);
  assert.equal(gone.code, 1);
  assert.ok(gone.stderr.includes(`${keyd.address} is not serving`), gone.stderr);
});

testWithDirectSops("emulator --json says all that stock sops needs, and ends with SIGTERM", async (bench) => {
  const child = bench.startKeyd(["emulator", "--listen", ":0", "--json"]);
  const [line] = await child.waitFor("stdout", /^\{.*\}$/m);
  const { url, files } = JSON.parse(line) as { url: string; files: { serviceAccount: string } };
  const variables = {
    SOPS_GCP_KMS_ENDPOINT: url,
    SOPS_GCP_KMS_CLIENT_TYPE: "rest",
    GOOGLE_CREDENTIALS: files.serviceAccount,
  };
  bench.write("secret.yaml", "password: emulated\n");
  assertSucceeded(await bench.sops(undefined, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"], variables));
  assert.ok(!bench.read("secret.yaml").includes("emulated\n"));
  const { stdout } = assertSucceeded(await bench.sops(undefined, ["decrypt", "secret.yaml"], variables));
  assert.equal(stdout, "password: emulated\n");
  child.signal("SIGTERM");
  assert.equal((await child.ended()).code, 0);
  assert.match(child.stderr(), /NOT FOR REAL SECRETS/);
});

const COMPLETIONS = [
  ["bash", /complete .*sops-keyd/],
  ["zsh", /#compdef sops-keyd/],
  ["fish", /complete -c sops-keyd/],
] as const;

for (const [shell, marker] of COMPLETIONS) {
  testOnBench(`complete ${shell} prints a script for ${shell}`, async (bench) => {
    const { stdout } = assertSucceeded(await bench.keyd(["complete", shell]));
    assert.match(stdout, marker);
    const words = assertSucceeded(await bench.keyd(["complete", "--", ""])).stdout;
    for (const command of ["serve", "exec", "check"]) assert.match(words, new RegExp(`^${command}\\b`, "m"));
  });
}

testOnBench("--help of every command shows its usage and examples, and exits with 0", async (bench) => {
  const top = assertSucceeded(await bench.keyd(["--help"])).stdout;
  for (const command of COMMANDS) {
    assert.match(top, new RegExp(`^  ${command}\\b`, "m"));
    const { stdout, stderr } = assertSucceeded(await bench.keyd([command, "--help"]));
    assert.match(stdout, new RegExp(`^Usage: sops-keyd ${command}`));
    assert.match(stdout, /^Examples:$/m, `${command} --help has no examples`);
    assert.equal(stderr, "");
  }
});

const WRONG_USAGES: readonly (readonly string[])[] = [
  ["no-such-command"],
  ["serve", "--no-such-option"],
  ["serve", "--network", "carrier-pigeon"],
  ["serve", "--network", "tcp", "--address", "0.0.0.0:0"],
  ["serve", "--config", "missing.yaml"],
  ["serve", "--log-level", "loud"],
  ["exec"],
  ["explain"],
  ["explain", "--operation", "guess", KEY],
  ["emulator", "--listen", "0.0.0.0:0"],
  ["health", "--timeout", "soon", "tcp://127.0.0.1:1"],
];

testOnBench("a wrong usage exits with 2 and says what is wrong on stderr alone", async (bench) => {
  for (const args of WRONG_USAGES) {
    const { code, stdout, stderr } = await bench.keyd(args);
    assert.deepEqual([args, code, stdout], [args, 2, ""], stderr);
    assert.match(stderr, /\S/);
    assert.doesNotMatch(stderr, /^\s+at /m, "a stack trace is no message");
  }
});

for (const network of ["unix", "tcp"]) {
  testWithSops(`serve without a config stands in for sops keyservice over ${network}`, async (bench) => {
    const args = network === "tcp" ? ["--network", "tcp", "--address", "127.0.0.1:0"] : [];
    const variables = { ...googleVariables(bench.emulator), XDG_RUNTIME_DIR: bench.path("run") };
    const child = bench.startKeyd(["serve", "--json", ...args], variables);
    const keyd = await readReadiness(child);
    bench.write("secret.yaml", "password: stand-in\n");
    assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
    const { stdout } = assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
    assert.equal(stdout, "password: stand-in\n");
    assert.match(child.stderr(), /standing in for sops keyservice/);
    const principals = new Set(bench.emulator.admin.requests().requests.map(({ principal }) => principal));
    assert.deepEqual(principals, new Set([bench.emulator.principals.serviceAccount]));
  });
}
