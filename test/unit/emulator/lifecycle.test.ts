import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { ask, base64, freshKey, readJson, staticToken } from "./fixtures.ts";

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "emulator-test-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.com"]) {
  test(`it refuses to listen on ${host}`, async () => {
    await assert.rejects(startEmulator({ host }), { name: "EmulatorStartError", message: /loopback only/ });
  });
}

test("a port that is taken is said in plain words", async (t) => {
  const first = await startEmulator();
  t.after(() => first.close());
  await assert.rejects(startEmulator({ port: first.port }), { name: "EmulatorStartError", message: /port is in use/ });
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

test("IPv6 loopback has its brackets in the URL", { skip: !hasIpv6 && "no IPv6 here" }, async (t) => {
  const emulator = await startEmulator({ host: "::1" });
  t.after(() => emulator.close());
  assert.equal(emulator.url, `http://[::1]:${emulator.port}`);
  assert.equal((await ask(emulator, "GET", "/emulator/faults")).status, 200);
});

test("the credential files are private, name the emulator, and go when it closes", async () => {
  const emulator = await startEmulator();
  const { directory, ...files } = emulator.files;
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  for (const path of Object.values(files)) assert.equal((await stat(path)).mode & 0o777, 0o600, path);
  assert.equal((await readJson(files.serviceAccount))["token_uri"], `${emulator.url}/token`);
  const first = await readJson(files.serviceAccount);
  const second = await readJson(files.secondServiceAccount);
  assert.notEqual(first["private_key"], second["private_key"]);
  await emulator.close();
  await assert.rejects(stat(directory), { code: "ENOENT" });
});

test("a directory for credential files is kept, and written anew by the next start", async (t) => {
  const directory = join(await temporaryDirectory(t), "credentials");
  const first = await startEmulator({ credentialsDirectory: directory });
  const before = await readFile(first.files.serviceAccount, "utf8");
  await first.close();
  const second = await startEmulator({ credentialsDirectory: directory });
  t.after(() => second.close());
  assert.notEqual(await readFile(second.files.serviceAccount, "utf8"), before);
});

test("a directory with somebody else's files is left alone", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "service-account.json"), "a real key");
  await assert.rejects(startEmulator({ credentialsDirectory: directory }), { message: /did not write/ });
  assert.deepEqual(await readdir(directory), ["service-account.json"]);
  assert.equal(await readFile(join(directory, "service-account.json"), "utf8"), "a real key");
});

test("keys survive a restart in a state directory, versions and all", async (t) => {
  const stateDirectory = join(await temporaryDirectory(t), "state");
  const key = freshKey();
  const first = await startEmulator({ stateDirectory });
  const token = await staticToken(first);
  const body = { plaintext: base64("lasting") };
  const [one] = await Promise.all([
    ask(first, "POST", `/v1/${key}:encrypt`, { token, body }),
    ...Array.from({ length: 10 }, () => ask(first, "POST", `/v1/${freshKey()}:encrypt`, { token, body })),
  ]);
  await ask(first, "POST", `/v1/${key}/cryptoKeyVersions`, { token, body: {} });
  await ask(first, "POST", `/v1/${key}:updatePrimaryVersion`, { token, body: { cryptoKeyVersionId: "2" } });
  await first.close();
  assert.deepEqual(await readdir(stateDirectory), ["state.json"]);
  assert.equal((await stat(stateDirectory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(stateDirectory, "state.json"))).mode & 0o777, 0o600);

  const second = await startEmulator({ stateDirectory, strict: true });
  t.after(() => second.close());
  const asked = { token: await staticToken(second), body: { ciphertext: one.json["ciphertext"] } };
  const opened = await ask(second, "POST", `/v1/${key}:decrypt`, asked);
  assert.equal(opened.json["plaintext"], base64("lasting"));
  assert.equal("usedPrimary" in opened.json, false);
});

const DAMAGED = ["", "{", "[]", '{"version":2,"rings":[],"keys":[]}', '{"version":1,"rings":[],"keys":[{}]}'];
for (const content of DAMAGED) {
  test(`a state file that reads ${JSON.stringify(content)} is an error, and is not touched`, async (t) => {
    const stateDirectory = await temporaryDirectory(t);
    const path = join(stateDirectory, "state.json");
    await writeFile(path, content);
    await assert.rejects(startEmulator({ stateDirectory }), {
      name: "EmulatorStartError",
      message: /was left as it is/,
    });
    assert.equal(await readFile(path, "utf8"), content);
  });
}

test("a state directory that others can enter is refused", async (t) => {
  const stateDirectory = await temporaryDirectory(t);
  await chmod(stateDirectory, 0o755);
  await assert.rejects(startEmulator({ stateDirectory }), { message: /open to other users/ });
});
