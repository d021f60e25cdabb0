import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, reload, testWithSops } from "./harness/bench.ts";
import { KEY, SHOP_KEYS } from "./harness/config.ts";
import { ROOT, sopsPath } from "./harness/sops-binary.ts";

const RULE = { name: "shop", match: SHOP_KEYS, tokenSource: "shop" };

function withRule(bench: Bench, changes: object, more: object = {}): string {
  return bench.writeConfig({ rules: [{ ...RULE, ...changes }], ...more });
}

async function serveWithSecret(bench: Bench): Promise<Keyd> {
  const keyd = await bench.serve();
  bench.write("secret.yaml", "password: kept\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  return keyd;
}

/** What sops says of a call that is refused before anything is asked of Google. */
async function refusedDecrypt(bench: Bench, keyd: Keyd): Promise<string> {
  const { admin } = bench.emulator;
  const before = JSON.stringify(admin.requests().counts);
  const outcome = await bench.sops(keyd, ["decrypt", "secret.yaml"]);
  assert.notEqual(outcome.code, 0);
  assert.equal(outcome.stdout, "");
  assert.equal(JSON.stringify(admin.requests().counts), before, "Google was asked");
  return unwrapped(outcome);
}

testWithSops("a deny that a reload brings refuses at once, says where it stands, and asks nobody", async (bench) => {
  const keyd = await serveWithSecret(bench);
  withRule(bench, { deny: [{ operations: ["decrypt"], match: KEY }] });
  await reload(keyd);
  const told = await refusedDecrypt(bench, keyd);
  assert.match(told, /code = PermissionDenied desc = deny\[0\] of the rule forbids a caller without a name at unix:/);
  assert.match(told, /to do: if that is not meant, change deny\[0\] of rule shop in the config of sops-keyd/);
  bench.write("other.yaml", "a: 1\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "other.yaml"]));
});

testWithSops("a caller over its limit is told which one, and when to try again", async (bench) => {
  const keyd = await serveWithSecret(bench);
  withRule(bench, {}, { limits: { perCaller: { callsPerSecond: 0.001, burst: 1 } } });
  await reload(keyd);
  assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
  const told = await refusedDecrypt(bench, keyd);
  assert.match(told, /code = ResourceExhausted desc = callers without a name .*: 0\.001 calls a second are the limit/);
  assert.match(told, /\(callsPerSecond in limits\.perCaller\), and used up/);
  assert.match(told, /to do: try again in \d+(\.\d)? s; if that is too few, raise it/);
});

testWithSops("an approval command is asked before Google, and its reason is what sops shows", async (bench) => {
  const keyd = await serveWithSecret(bench);
  const script = '#!/bin/sh\necho "$SOPS_KEYD_OPERATION $SOPS_KEYD_KEY $SOPS_KEYD_RULE" >asked\n';
  const command = bench.write("ask", `${script}test -e approved || { echo "no change after noon"; exit 1; }\n`, 0o700);
  withRule(bench, { approve: { command: [command] } }, { audit: { file: "audit.jsonl", required: true } });
  await reload(keyd);
  const told = await refusedDecrypt(bench, keyd);
  assert.match(told, /code = PermissionDenied desc = not approved: no change after noon/);
  assert.equal(bench.read("asked").toString(), `decrypt ${KEY} shop\n`);
  bench.write("approved", "");
  assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, "password: kept\n");
  await keyd.child.waitFor("stderr", /"approvedBy":"command"/);
  const records = bench.read("audit.jsonl").toString();
  assert.match(records, /"decision":"allowed".*"approvedBy":"command"/);
  assert.match(records, /"outcome":"ok".*"approvedBy":"command"/);
  const shown = await bench.keyd(["audit", "show", bench.path("audit.jsonl"), "--outcome", "ok"]);
  assert.match(shown.stdout, /decrypt ok .*approvedBy=command/);
  assert.equal((await bench.keyd(["audit", "verify", bench.path("audit.jsonl")])).code, 0);
});

testWithSops("a prompt without a terminal refuses, and says what to do", async (bench) => {
  const keyd = await serveWithSecret(bench);
  withRule(bench, { approve: { prompt: "terminal" } });
  await reload(keyd);
  const told = await refusedDecrypt(bench, keyd);
  assert.match(told, /nobody can be asked for approval: sops-keyd has no terminal/);
  assert.match(told, /to do: run sops-keyd in the foreground of a terminal, or give rule shop an approve\.command/);
});

/** util-linux' `script` gives a command a terminal of its own. */
const hasScript = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") === true;

if (hasScript) {
  for (const [answer, approved] of [
    ["y", true],
    ["n", false],
  ] as const) {
    testWithSops(
      `${answer} at the terminal ${approved ? "lets" : "does not let"} exec's sops decrypt`,
      async (bench) => {
        await serveWithSecret(bench);
        withRule(bench, { approve: { prompt: "terminal", operations: ["decrypt"] } });
        const sops = bench.write("decrypt", `#!/bin/sh\n"$SOPS" decrypt secret.yaml\n`, 0o700);
        const line = `${process.execPath} ${ROOT}src/main.ts exec --config config.yaml -- ${sops}`;
        const child = bench.start("script", ["-qefc", line, "/dev/null"], { SOPS: sopsPath(), SHELL: "/bin/sh" });
        await child.waitFor(
          "stdout",
          /sops-keyd: decrypt with projects.*\s+for a caller without a name at [\s\S]*approve\? \[y\/N\]/,
        );
        child.type(`${answer}\n`);
        const { code, stdout } = await child.ended();
        assert.equal(code === 0, approved, stdout);
        assert.equal(/password: kept/.test(stdout), approved, stdout);
        if (!approved) assert.match(stdout.replace(/[\s|]+/g, " "), /not approved: whoever sits at the terminal/);
      },
    );
  }

  testWithSops("a server in the background of its terminal refuses to prompt, and is not stopped", async (bench) => {
    await serveWithSecret(bench);
    const listeners = [{ address: `unix://${bench.path("second.sock")}` }];
    withRule(bench, { approve: { prompt: "terminal" } }, { listeners });
    const shell = `set -m
${process.execPath} ${ROOT}src/main.ts serve --config config.yaml &
until test -S second.sock; do sleep 0.1; done
SOPS_KEYSERVICE="unix://$PWD/second.sock" SOPS_ENABLE_LOCAL_KEYSERVICE=false "$SOPS" decrypt secret.yaml
kill -TERM %1 && wait %1 && echo "ended well"
`;
    bench.write("background", shell);
    const child = bench.start("script", ["-qefc", "sh background", "/dev/null"], {
      SOPS: sopsPath(),
      SHELL: "/bin/sh",
    });
    const { stdout } = await child.ended();
    assert.match(stdout, /sops-keyd runs in the\s+\|? *background of its\s+\|? *terminal/);
    assert.match(stdout, /ended well/);
  });
}
