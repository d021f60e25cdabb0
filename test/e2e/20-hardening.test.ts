import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, reload, testOnBench, testWithSops } from "./harness/bench.ts";
import { KEY, SHOP_KEYS } from "./harness/config.ts";

/** A token source of a user who went to the dark side: it tries what a sandbox is to stop, and tells how it went. */
const BURGLAR = `
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
const tries = {
  read: () => readFileSync("outside"),
  write: () => writeFileSync("outside", "changed"),
  run: () => execFileSync("true"),
  call: () => process.getBuiltinModule("node:ffi").dlopen(null, {}),
};
export function createTokenSource() {
  return {
    fetchToken() {
      for (const [name, attempt] of Object.entries(tries)) {
        try {
          attempt();
          process.stderr.write("burglar: " + name + " worked\\n");
        } catch (error) {
          process.stderr.write("burglar: " + name + " " + error.code + "\\n");
        }
      }
      throw new Error("nothing to offer");
    },
  };
}
`;

async function letBurglarTry(bench: Bench, args: readonly string[]): Promise<readonly string[]> {
  bench.write("outside", "not for the module");
  // A sandboxed process may write where its socket is.
  for (const directory of ["module", "run"]) mkdirSync(bench.path(directory));
  bench.write("module/burglar.mjs", BURGLAR);
  const config = bench.writeConfig({
    listeners: [{ address: `unix://${bench.path("run/keyd.sock")}` }],
    tokenSources: { shop: { type: "module", path: bench.path("module/burglar.mjs"), options: {} } },
    rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop" }],
  });
  const keyd = await bench.serve(config, args);
  bench.write("secret.yaml", "password: kept\n");
  await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "secret.yaml"]);
  await keyd.child.waitFor("stderr", /burglar: call/);
  assert.equal(bench.read("outside").toString() === "changed", args.length === 0);
  return [...keyd.child.stderr().matchAll(/burglar: (\w+ \w+)/g)].map(([, said = ""]) => said).slice(0, 4);
}

testOnBench("SIGUSR1 opens no inspector", async (bench) => {
  const keyd = await bench.serve();
  keyd.child.signal("SIGUSR1");
  // Signals are taken in order: once this one was, the one before it was as well.
  await reload(keyd);
  assert.doesNotMatch(keyd.child.stderr(), /[Dd]ebugger/);
});

testOnBench("a signal writes no diagnostic report, whatever NODE_OPTIONS asks for", async (bench) => {
  const variables = {
    NODE_OPTIONS: `--report-on-signal --report-signal=SIGWINCH --report-filename=${bench.path("r.json")}`,
  };
  const keyd = await bench.serve(undefined, [], variables);
  keyd.child.signal("SIGWINCH");
  await reload(keyd);
  assert.throws(() => statSync(bench.path("r.json")), { code: "ENOENT" });
});

testOnBench("the sandbox and the emulator do not go together, which is said", async (bench) => {
  const refused = await bench.keyd(["serve", "--config", bench.writeConfig(), "--sandbox", "--emulator"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--sandbox and --emulator do not go together/);
});

async function assertRoundTrip(bench: Bench, keyd: Keyd): Promise<void> {
  bench.write("secret.yaml", "password: kept\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, "password: kept\n");
}

testWithSops("in the sandbox it serves, reads its config and credential again, and leaves no socket", async (bench) => {
  for (const directory of ["run", "log"]) mkdirSync(bench.path(directory), { mode: 0o700 });
  const listeners = [{ address: `unix://${bench.path("run/keyd.sock")}` }];
  const audit = { file: bench.path("log/audit.jsonl"), required: true };
  const keyd = await bench.serve(bench.writeConfig({ listeners, audit }), ["--sandbox"]);
  await assertRoundTrip(bench, keyd);
  const changed = bench.writeConfig({ listeners, audit, limits: { drain: "9s" } });
  await reload(keyd);
  assert.equal(changed, bench.path("config.yaml"));
  await assertRoundTrip(bench, keyd);
  keyd.child.signal("SIGTERM");
  assert.equal((await keyd.child.ended()).code, 0);
  assert.throws(() => statSync(bench.path("run/keyd.sock")), { code: "ENOENT" });
  assertSucceeded(await bench.keyd(["audit", "verify", audit.file]));
});

testWithSops("in the sandbox a new config that names another file is refused, and the old one stays", async (bench) => {
  mkdirSync(bench.path("run"));
  const listeners = [{ address: `unix://${bench.path("run/keyd.sock")}` }];
  const keyd = await bench.serve(bench.writeConfig({ listeners }), ["--sandbox"]);
  await assertRoundTrip(bench, keyd);
  bench.writeConfig({ listeners, google: { caFile: bench.write("other-ca.pem", "never read") } });
  keyd.child.signal("SIGHUP");
  await keyd.child.waitFor(
    "stderr",
    /config not taken, the old one stays: .*other-ca\.pem.*the sandbox of this process was made without it/,
  );
  await assertRoundTrip(bench, keyd);
});

testWithSops(
  "the sandbox stops a module that reads, writes, runs or calls what the config does not name",
  async (bench) => {
    assert.deepEqual(await letBurglarTry(bench, ["--sandbox"]), [
      "read ERR_ACCESS_DENIED",
      "write ERR_ACCESS_DENIED",
      "run ERR_ACCESS_DENIED",
      "call ERR_ACCESS_DENIED",
    ]);
  },
);

testWithSops("without the sandbox a module can do all of that", async (bench) => {
  assert.deepEqual(await letBurglarTry(bench, []), ["read worked", "write worked", "run worked", "call worked"]);
});
