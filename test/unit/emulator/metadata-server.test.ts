import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { type Answer, ask, freshKey } from "./fixtures.ts";

const emulator = await startEmulator();
after(() => emulator.close());

const FLAVOR = { "Metadata-Flavor": "Google" };
const get = (path: string, headers: Readonly<Record<string, string>> = FLAVOR): Promise<Answer> =>
  ask(emulator, "GET", `/computeMetadata/v1/${path}`, { headers });

test("the default account's token is good for Cloud KMS", async () => {
  const { json, headers } = await get("instance/service-accounts/default/token");
  assert.equal(headers.get("metadata-flavor"), "Google");
  assert.deepEqual([json["token_type"], json["expires_in"]], ["Bearer", 3600]);
  const asked = { token: String(json["access_token"]), body: { plaintext: "eA==" } };
  assert.equal((await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, asked)).status, 200);
  assert.equal(emulator.admin.requests().requests.at(-1)?.principal, emulator.principals.metadata);
});

test("another account's token is its own", async () => {
  emulator.admin.resetRequests();
  await get(`instance/service-accounts/${emulator.principals.secondServiceAccount}/token`);
  assert.equal(emulator.admin.requests().requests[0]?.principal, emulator.principals.secondServiceAccount);
});

const TEXTS = [
  { path: "instance/service-accounts/default/email", text: emulator.principals.metadata },
  { path: "instance/service-accounts/default/scopes", text: "https://www.googleapis.com/auth/cloud-platform\n" },
  { path: "instance/service-accounts/default/", text: "aliases\nemail\nscopes\ntoken\n" },
  { path: "project/project-id", text: "emulated-project" },
  { path: "project/numeric-project-id", text: "123456789012" },
  { path: "universe/universe-domain", text: "googleapis.com" },
];
for (const { path, text } of TEXTS) {
  test(`${path} is plain text with Google's header`, async () => {
    const answer = await get(path);
    assert.deepEqual([answer.status, answer.text], [200, text]);
    assert.equal(answer.headers.get("metadata-flavor"), "Google");
    assert.equal(answer.headers.get("content-type"), "application/text");
  });
}

test("an account's properties come as one object when asked for recursively", async () => {
  const { json } = await get("instance/service-accounts/default/?recursive=true");
  assert.deepEqual(json, {
    aliases: ["default"],
    email: emulator.principals.metadata,
    scopes: ["https://www.googleapis.com/auth/cloud-platform"],
  });
});

test("without Google's header, or through a proxy, nothing is told", async () => {
  const path = "instance/service-accounts/default/token";
  assert.equal((await get(path, {})).status, 403);
  assert.equal((await get(path, { "Metadata-Flavor": "Other" })).status, 403);
  assert.equal((await get(path, { ...FLAVOR, "X-Forwarded-For": "10.0.0.1" })).status, 403);
});

test("an account that is not attached is not found", async () => {
  assert.equal((await get("instance/service-accounts/nobody@example.com/token")).status, 404);
});

test("the root says that it is a metadata server, as clients probe for", async () => {
  const { status, headers } = await ask(emulator, "GET", "/");
  assert.deepEqual([status, headers.get("metadata-flavor")], [200, "Google"]);
});
