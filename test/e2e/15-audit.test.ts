import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKeyClient } from "../fakes/key-client.ts";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, reload, testOnBench, testWithSops } from "./harness/bench.ts";
import { KEY, SHOP_KEYS } from "./harness/config.ts";

const OTHER_KEY = "projects/other/locations/global/keyRings/r/cryptoKeys/k";
const WIRE_KEY = { keyType: "gcpKmsKey", gcpKmsKey: { resourceId: KEY } };

type Fields = Readonly<Record<string, unknown>>;

/** The whole records; where a write failed, half of one may follow. */
function recordsOf(path: string): readonly Fields[] {
  const text = readFileSync(path, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n"))
    .split("\n")
    .map((line) => JSON.parse(line) as Fields);
}

function serveAudited(bench: Bench, audit: object = {}) {
  const listeners = [{ address: `unix://${bench.path("keyd.sock")}`, caller: "team-a" }];
  return bench.serve(bench.writeConfig({ listeners, audit: { file: "audit.jsonl", required: true, ...audit } }));
}

testWithSops("each thing that sops asks for stands in the audit log, and Google is told the same id", async (bench) => {
  const keyd = await serveAudited(bench);
  bench.write("secret.yaml", "password: hidden\n");
  bench.write("other.yaml", "password: hidden\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
  assert.notEqual((await bench.sops(keyd, ["encrypt", "--gcp-kms", OTHER_KEY, "other.yaml"])).code, 0);
  await reload(keyd);
  bench.write("config.yaml", "version: 2\n");
  keyd.child.signal("SIGHUP");
  await keyd.child.waitFor("stderr", /config not taken/);
  keyd.child.signal("SIGTERM");
  await keyd.child.ended();

  const records = recordsOf(bench.path("audit.jsonl"));
  const told = records.map(({ event, operation, outcome, decision }) =>
    [event, operation, decision ?? outcome].join(" ").trim(),
  );
  assert.deepEqual(
    told.filter((line) => !line.startsWith("checkpoint")),
    [
      "opened",
      "config_loaded",
      "started",
      "decision encrypt allowed",
      "outcome encrypt ok",
      "decision decrypt allowed",
      "outcome decrypt ok",
      "decision encrypt refused",
      "outcome encrypt rule_not_found",
      "config_loaded",
      "config_refused",
      "stopped",
    ],
  );
  const isDecrypted = ({ event, operation }: Fields) => event === "outcome" && operation === "decrypt";
  const answered = records.find(isDecrypted) ?? assert.fail();
  assert.equal(answered["key"], KEY);
  assert.equal(answered["rule"], "shop");
  assert.match(String(answered["principal"]), /^first@/);
  assert.deepEqual((answered["caller"] as Fields)["names"], ["team-a"]);
  const asked = bench.emulator.admin.requests().requests.filter(({ endpoint }) => endpoint === "kms.decrypt");
  assert.equal(asked[0]?.reason, `sops-keyd request=${answered["request"]} caller=team-a`);
  const verified = await bench.keyd([
    "audit",
    "verify",
    bench.path("audit.jsonl"),
    "--public-key",
    bench.path("audit.jsonl.key.pub"),
  ]);
  assertSucceeded(verified);
  assert.match(verified.stdout, /^verified: 13 records \(1 to 13\) in 1 file/);
});

testWithSops("audit verify names the record that somebody changed, and sops' user is none the wiser", async (bench) => {
  const keyd = await serveAudited(bench);
  bench.write("secret.yaml", "password: hidden\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  keyd.child.signal("SIGTERM");
  await keyd.child.ended();
  const file = bench.path("audit.jsonl");
  writeFileSync(file, readFileSync(file, "utf8").replace('"outcome":"ok"', '"outcome":"cancelled"'));
  const verified = await bench.keyd(["audit", "verify", file]);
  assert.equal(verified.code, 1);
  assert.match(verified.stdout, /audit\.jsonl:5: record 5 was changed: its hash does not fit it/);
  const json = await bench.keyd(["audit", "verify", file, "--json"]);
  assert.deepEqual(JSON.parse(json.stdout).problems[0], {
    file,
    line: 5,
    problem: "record 5 was changed: its hash does not fit it",
  });
  assert.equal((await bench.keyd(["audit", "verify", bench.path("nothing.jsonl")])).code, 2);
});

testOnBench("audit show filters, and follows over a rotation", async (bench) => {
  const keyd = await serveAudited(bench, { rotate: { size: "1MiB", keep: 3 } });
  const client = createKeyClient(keyd.address);
  const follower = bench.startKeyd([
    "audit",
    "show",
    bench.path("audit.jsonl"),
    "--follow",
    "--outcome",
    "ok",
    "--json",
  ]);
  const ciphertext = await client.encrypt(WIRE_KEY, Buffer.alloc(32, 1));
  await follower.waitFor("stdout", /"operation":"encrypt"/);
  for (let calls = 0; calls < 1200; calls += 60) {
    await Promise.all(Array.from({ length: 60 }, () => client.decrypt(WIRE_KEY, ciphertext)));
  }
  keyd.child.signal("SIGTERM");
  await keyd.child.ended();
  client.close();
  const first = recordsOf(bench.path("audit.jsonl.000001"));
  assert.equal(first.at(-1)?.["event"], "checkpoint");
  const last = recordsOf(bench.path("audit.jsonl"))
    .filter(({ outcome }) => outcome === "ok")
    .at(-1);
  await follower.waitFor("stdout", new RegExp(String(last?.["request"])));
  const shown = await bench.keyd([
    "audit",
    "show",
    bench.path("audit.jsonl"),
    "--outcome",
    "ok",
    "--operation",
    "decrypt",
  ]);
  assert.equal(shown.stdout.trimEnd().split("\n").length, 1200);
  assert.match(shown.stdout, /^\S+ decrypt ok team-a projects\/shop/);
  assert.ok(!shown.stdout.includes("\u001b"), "no colours in a pipe");
  const none = await bench.keyd(["audit", "show", bench.path("audit.jsonl"), "--caller", "team-b"]);
  assert.equal(none.stdout, "");
  assertSucceeded(await bench.keyd(["audit", "verify", bench.path("audit.jsonl")]));
});

const mountable = process.platform === "linux" && process.getuid?.() === 0 && canMount();

function canMount(): boolean {
  return spawnSync("unshare", ["--mount", "true"]).status === 0 && spawnSync("mount", ["--version"]).status === 0;
}

if (mountable) {
  testOnBench(
    "where the disk is full no key is answered, and as soon as there is room they are again",
    async (bench) => {
      const disk = bench.path("disk");
      mkdirSync(disk);
      assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]).status, 0);
      try {
        const keyd = await serveAudited(bench, { file: join(disk, "audit.jsonl") });
        const client = createKeyClient(keyd.address);
        const ciphertext = await client.encrypt(WIRE_KEY, Buffer.alloc(32, 1));
        assert.notEqual(spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "ballast")}`, "bs=1k"]).status, 0);
        // What is left of the last block may take a record or two.
        const outcomes: string[] = [];
        for (let calls = 0; calls < 40; calls += 1) {
          await client.decrypt(WIRE_KEY, ciphertext).then(
            () => outcomes.push("ok"),
            (error: { readonly code: number; readonly details: string }) =>
              outcomes.push(`${error.code} ${error.details}`),
          );
        }
        assert.match(outcomes.at(-1) ?? "", /^14 nothing is answered that cannot be audited.*\(ENOSPC\)/);
        await keyd.child.waitFor("stderr", /the audit log cannot be written \(ENOSPC\)/);
        const answered = outcomes.filter((outcome) => outcome === "ok").length;
        const before = recordsOf(join(disk, "audit.jsonl"));
        assert.equal(
          before.filter(({ operation, outcome }) => operation === "decrypt" && outcome === "ok").length,
          answered,
        );

        const from = keyd.child.stderr().length;
        spawnSync("rm", [join(disk, "ballast")]);
        await keyd.child.waitFor("stderr", /the audit log can be written again/, from);
        assert.equal((await client.decrypt(WIRE_KEY, ciphertext)).length, 32);
        client.close();
        keyd.child.signal("SIGTERM");
        await keyd.child.ended();
        assertSucceeded(await bench.keyd(["audit", "verify", join(disk, "audit.jsonl")]));
      } finally {
        spawnSync("umount", ["-l", disk]);
      }
    },
  );
}

testWithSops("a server whose log cannot be written does not give sops a key, and says what to do", async (bench) => {
  const keyd = await serveAudited(bench);
  bench.write("secret.yaml", "password: hidden\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  spawnSync("rm", ["-r", bench.path("audit.jsonl")]);
  // A directory in its place: the next file cannot be made.
  mkdirSync(bench.path("audit.jsonl"));
  const outcome = await bench.sops(keyd, ["decrypt", "secret.yaml"]);
  assert.notEqual(outcome.code, 0);
  assert.match(unwrapped(outcome), /code = Unavailable desc = nothing is answered that cannot be audited/);
  assert.match(unwrapped(outcome), /to do: try again in a moment; if it stays, look at the disk of audit.file/);
  await keyd.child.waitFor("stderr", /"level":"error","message":"the audit log cannot be written/);
  spawnSync("rmdir", [bench.path("audit.jsonl")]);
  await keyd.child.waitFor("stderr", /the audit log can be written again/);
  assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
});

testOnBench("two servers cannot write one log", async (bench) => {
  await serveAudited(bench);
  const rules = [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop" }];
  const listeners = [{ address: `unix://${bench.path("second.sock")}` }];
  const config = bench.writeConfig({ listeners, rules, audit: { file: "audit.jsonl" } }, "second.yaml");
  const second = await bench.keyd(["serve", "--config", config]);
  assert.equal(second.code, 2);
  assert.match(second.stderr, /audit\.jsonl is being written by another sops-keyd/);
});

testOnBench("a reload takes the log to another file, and no call is lost on the way", async (bench) => {
  const keyd = await serveAudited(bench);
  const client = createKeyClient(keyd.address);
  const ciphertext = await client.encrypt(WIRE_KEY, Buffer.alloc(32, 1));
  const listeners = [{ address: `unix://${bench.path("keyd.sock")}`, caller: "team-a" }];
  const calls: Promise<Buffer>[] = [];
  for (const file of ["b.jsonl", "c.jsonl", "audit.jsonl"]) {
    bench.writeConfig({ listeners, audit: { file, required: true } });
    const reloaded = reload(keyd);
    calls.push(...Array.from({ length: 20 }, () => client.decrypt(WIRE_KEY, ciphertext)));
    await reloaded;
  }
  assert.equal((await Promise.all(calls)).length, 60);
  client.close();
  keyd.child.signal("SIGTERM");
  await keyd.child.ended();
  // A log that another one follows at once may have been given no record, and then no file.
  const paths = ["audit.jsonl", "b.jsonl", "c.jsonl"].map(bench.path).filter(existsSync);
  for (const path of paths) assertSucceeded(await bench.keyd(["audit", "verify", path]));
  const outcomes = paths.flatMap(recordsOf).filter(({ event }) => event === "outcome");
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    Array.from({ length: 61 }, () => "ok"),
  );
});

testOnBench("without a file the chain goes to standard output, and verifies as its reader kept it", async (bench) => {
  const listeners = [{ address: `unix://${bench.path("keyd.sock")}`, caller: "team-a" }];
  const audit = { stdout: true, required: true, signingKey: "audit.key" };
  const keyd = await bench.serve(bench.writeConfig({ listeners, audit }));
  const client = createKeyClient(keyd.address);
  const ciphertext = await client.encrypt(WIRE_KEY, Buffer.alloc(32, 1));
  assert.equal((await client.decrypt(WIRE_KEY, ciphertext)).length, 32);
  client.close();
  keyd.child.signal("SIGTERM");
  const { stdout } = await keyd.child.ended();
  const lines = stdout.split("\n").filter((line) => line.startsWith('{"seq":'));
  const file = bench.write("kept.jsonl", `${lines.join("\n")}\n`);
  assert.equal(recordsOf(file).filter(({ outcome }) => outcome === "ok").length, 2);
  const verified = await bench.keyd(["audit", "verify", file, "--public-key", bench.path("audit.key.pub")]);
  assertSucceeded(verified);
});
