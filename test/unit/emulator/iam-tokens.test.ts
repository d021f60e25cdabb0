import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { type Answer, ask, createTestClock, errorOf, freshKey, staticToken } from "./fixtures.ts";

const clock = createTestClock();
const emulator = await startEmulator({ clock });
after(() => emulator.close());
const token = await staticToken(emulator);
const { serviceAccount: caller, impersonated: target } = emulator.principals;

const account = (name: string): string => `${name}@emulated-project.iam.gserviceaccount.com`;
const delegate = (name: string): string => `projects/-/serviceAccounts/${account(name)}`;
const scope = ["https://www.googleapis.com/auth/cloudkms"];

const impersonate = (email: string, body: object = {}): Promise<Answer> =>
  ask(emulator, "POST", `/v1/projects/-/serviceAccounts/${email}:generateAccessToken`, {
    token,
    body: { scope, ...body },
  });

test("a token of the target is given for as long as was asked", async () => {
  const { json } = await impersonate(target, { lifetime: "600s" });
  assert.equal(json["expireTime"], new Date(clock.nowMs() + 600_000).toISOString().replace(".000Z", "Z"));
  const asked = { token: String(json["accessToken"]), body: { plaintext: "eA==" } };
  emulator.admin.resetRequests();
  assert.equal((await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, asked)).status, 200);
  assert.equal(emulator.admin.requests().requests[0]?.principal, target);
  clock.advance(600_000);
  assert.equal((await ask(emulator, "POST", `/v1/${freshKey()}:encrypt`, asked)).status, 401);
});

test("once token creators are named, nobody else may impersonate", async (t) => {
  t.after(() => emulator.admin.setImpersonation(target, undefined));
  emulator.admin.setImpersonation(target, { tokenCreators: [account("somebody")] });
  const { code, status, message, details } = errorOf(await impersonate(target));
  assert.deepEqual([code, status], [403, "PERMISSION_DENIED"]);
  assert.equal(message, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).");
  assert.deepEqual(details[0]?.["metadata"], { permission: "iam.serviceAccounts.getAccessToken" });
  emulator.admin.setImpersonation(target, { tokenCreators: [`serviceAccount:${caller}`] });
  assert.equal((await impersonate(target)).status, 200);
});

test("delegates are walked hop by hop, and each hop must be allowed", async (t) => {
  const hops = [account("one"), account("two"), account("end")] as const;
  t.after(() => {
    for (const hop of hops) emulator.admin.setImpersonation(hop, undefined);
  });
  const [one, two, end] = hops;
  emulator.admin.setImpersonation(one, { tokenCreators: [caller] });
  emulator.admin.setImpersonation(two, { tokenCreators: [one] });
  emulator.admin.setImpersonation(end, { tokenCreators: [two] });
  assert.equal((await impersonate(end, { delegates: [delegate("one"), delegate("two")] })).status, 200);
  assert.equal((await impersonate(end, { delegates: [delegate("two"), delegate("one")] })).status, 403);
  assert.equal((await impersonate(end, { delegates: [delegate("two")] })).status, 403);
  assert.equal((await impersonate(end)).status, 403);
});

test("more than an hour needs the extended lifetime, and more than twelve is never given", async (t) => {
  t.after(() => emulator.admin.setImpersonation(target, undefined));
  assert.equal(errorOf(await impersonate(target, { lifetime: "3601s" })).status, "INVALID_ARGUMENT");
  emulator.admin.setImpersonation(target, { extendedLifetime: true });
  assert.equal((await impersonate(target, { lifetime: "43200s" })).status, 200);
  assert.equal(errorOf(await impersonate(target, { lifetime: "43201s" })).status, "INVALID_ARGUMENT");
});

const BAD_REQUESTS = [
  { name: "no scope", body: { scope: [] } },
  { name: "a lifetime without its unit", body: { lifetime: "600" } },
  { name: "a lifetime of nothing", body: { lifetime: "0s" } },
  { name: "a delegate that is a bare address", body: { delegates: [account("one")] } },
];
for (const { name, body } of BAD_REQUESTS) {
  test(`${name} is an invalid argument`, async () => {
    assert.equal(errorOf(await impersonate(target, body)).status, "INVALID_ARGUMENT");
  });
}

test("what cannot be a service account is not found", async () => {
  assert.equal(errorOf(await impersonate("ann@example.com")).status, "NOT_FOUND");
});

test("with --strict, only accounts that are known can be impersonated", async (t) => {
  const strict = await startEmulator({ strict: true });
  t.after(() => strict.close());
  const path = `/v1/projects/-/serviceAccounts/${account("new")}:generateAccessToken`;
  const asked = { token: await staticToken(strict), body: { scope } };
  assert.equal((await ask(strict, "POST", path, asked)).status, 404);
  await strict.admin.createServiceAccountKey(account("new"));
  assert.equal((await ask(strict, "POST", path, asked)).status, 200);
});

test("a token for Cloud KMS alone cannot impersonate", async () => {
  const kmsOnly = String((await impersonate(target)).json["accessToken"]);
  const path = `/v1/projects/-/serviceAccounts/${target}:generateAccessToken`;
  const { code, message } = errorOf(await ask(emulator, "POST", path, { token: kmsOnly, body: { scope } }));
  assert.deepEqual([code, message], [403, "Request had insufficient authentication scopes."]);
});

test("a configured token lifetime is the most that impersonation gives", async (t) => {
  const short = await startEmulator({ clock, tokenLifetimeMs: 5000 });
  t.after(() => short.close());
  const path = `/v1/projects/-/serviceAccounts/${target}:generateAccessToken`;
  const { json } = await ask(short, "POST", path, { token: await staticToken(short), body: { scope } });
  assert.equal(Date.parse(String(json["expireTime"])), clock.nowMs() + 5000);
});
