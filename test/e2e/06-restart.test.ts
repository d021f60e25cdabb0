import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { assertSucceeded, unwrapped } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, testOnBench, testWithSops } from "./harness/bench.ts";
import { eventually } from "./harness/bounded.ts";
import { configFor, KEY, SECOND_KEY } from "./harness/config.ts";

async function encryptSecret(bench: Bench, keyd: Keyd): Promise<void> {
  bench.write("secret.yaml", "password: kept\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
}

testWithSops("a server killed with SIGKILL is started again on the same socket", async (bench) => {
  const first = await bench.serve();
  await encryptSecret(bench, first);
  first.child.signal("SIGKILL");
  assert.equal((await first.child.ended()).signal, "SIGKILL");
  assert.ok(existsSync(bench.path("keyd.sock")), "the test is about a socket that was left behind");
  const refused = await bench.sops(first, ["decrypt", "secret.yaml"]);
  assert.notEqual(refused.code, 0);

  const second = await bench.serve();
  assert.equal(second.address, first.address);
  assert.equal(assertSucceeded(await bench.sops(second, ["decrypt", "secret.yaml"])).stdout, "password: kept\n");
});

testWithSops("a second server on the same socket says so and exits with 2, and the first serves on", async (bench) => {
  const first = await bench.serve();
  const second = await bench.keyd(["serve", "--config", bench.writeConfig(), "--json"]);
  assert.equal(second.code, 2);
  assert.equal(second.stdout, "");
  assert.match(second.stderr, /keyd\.sock: another server is listening there; end it or choose another address/);
  await encryptSecret(bench, first);
});

testOnBench("a second server on the same port says so and exits with 2", async (bench) => {
  const first = await bench.serve(bench.writeConfig({ listeners: [{ address: "tcp://127.0.0.1:0" }] }));
  const taken = bench.writeConfig({ listeners: [{ address: first.address }] }, "second.yaml");
  const second = await bench.keyd(["serve", "--config", taken]);
  assert.equal(second.code, 2);
  assert.ok(second.stderr.includes(first.address.replace("tcp://", "")), second.stderr);
});

testWithSops("SIGTERM lets the call in flight be answered and refuses new ones", async (bench) => {
  const keyd = await bench.serve();
  await encryptSecret(bench, keyd);
  const { admin } = bench.emulator;
  admin.addFault({ kind: "latency", ms: 4_000, endpoint: "kms.decrypt", times: 1 });
  const inFlight = bench.startSops(keyd, ["decrypt", "secret.yaml"]);
  await eventually(10_000, "Cloud KMS is asked", () => admin.faults().length === 0);
  keyd.child.signal("SIGTERM");
  await keyd.child.waitFor("stderr", /no more calls are taken/);

  const late = await bench.sops(keyd, ["decrypt", "secret.yaml"]);
  assert.notEqual(late.code, 0);
  assert.match(unwrapped(late), /code = Unavailable/);
  assert.equal(inFlight.stdout(), "", "the call in flight was over too early for this test");

  assert.equal(assertSucceeded(await inFlight.ended()).stdout, "password: kept\n");
  assert.equal((await keyd.child.ended()).code, 0);
  assert.ok(!existsSync(bench.path("keyd.sock")));
});

testWithSops("SIGTERM ends a call that takes longer than the time for draining", async (bench) => {
  const keyd = await bench.serve(bench.writeConfig({ limits: { drain: "500ms" } }));
  await encryptSecret(bench, keyd);
  const { admin } = bench.emulator;
  admin.addFault({ kind: "hang", endpoint: "kms.decrypt", times: 1 });
  const inFlight = bench.startSops(keyd, ["decrypt", "secret.yaml"]);
  await eventually(10_000, "Cloud KMS is asked", () => admin.faults().length === 0);
  keyd.child.signal("SIGTERM");
  const ended = await keyd.child.ended(5_000);
  assert.equal(ended.code, 0);
  assert.match(ended.stderr, /ended with calls unanswered/);
  assert.notEqual((await inFlight.ended()).code, 0);
});

const NARROW = [{ name: "shop", match: "projects/shop/locations/global/keyRings/*/cryptoKeys/*", tokenSource: "shop" }];

testWithSops("SIGHUP takes a changed config for the next call", async (bench) => {
  const keyd = await bench.serve();
  await encryptSecret(bench, keyd);
  bench.writeConfig({ rules: NARROW });
  keyd.child.signal("SIGHUP");
  await keyd.child.waitFor("stderr", /config read again/);
  assert.match(unwrapped(await bench.sops(keyd, ["decrypt", "secret.yaml"])), /no rule of the config matches this key/);
  bench.write("other.yaml", "password: other\n");
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", SECOND_KEY, "-i", "other.yaml"]));
});

testOnBench("SIGHUP names what only a restart applies, and logs the new config's warnings", async (bench) => {
  const keyd = await bench.serve();
  const listeners = [{ address: `unix://${bench.path("other.sock")}`, mode: "0666" }];
  bench.writeConfig({ listeners, limits: { drain: "1s", maxCalls: 7 } });
  keyd.child.signal("SIGHUP");
  await keyd.child.waitFor("stderr", /listeners\[0\]\.mode: every user of this machine can open the socket/);
  const [line] = await keyd.child.waitFor("stderr", /^.*only a restart applies it.*$/m);
  const { level, keys } = JSON.parse(line) as { level: string; keys: string };
  assert.equal(level, "warn");
  assert.equal(keys, "listeners[0].address, limits.drain");
});

testWithSops("SIGHUP with a bad config keeps the old one, and the log says why: file, line and key", async (bench) => {
  const keyd = await bench.serve();
  await encryptSecret(bench, keyd);
  const text = JSON.stringify({ ...configFor(bench.emulator), rules: NARROW }, undefined, 2);
  bench.write("config.yaml", text.replace('"tokenSource": "shop"', '"tokenSource": "shopp"'));
  keyd.child.signal("SIGHUP");
  const [line] = await keyd.child.waitFor("stderr", /^.*config not taken.*$/m);
  const { level, message } = JSON.parse(line) as { level: string; message: string };
  assert.equal(level, "error");
  const at = 1 + text.split("\n").findIndex((each) => each.includes('"tokenSource"'));
  assert.ok(message.includes(`${bench.path("config.yaml")}:${at}:`), message);
  assert.ok(message.includes("rules[0].tokenSource"), message);
  assert.equal(assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"])).stdout, "password: kept\n");

  bench.write("config.yaml", "version: 1\nrules: [\n");
  keyd.child.signal("SIGHUP");
  await keyd.child.waitFor("stderr", /config\.yaml:3/);
  assertSucceeded(await bench.sops(keyd, ["decrypt", "secret.yaml"]));
});
