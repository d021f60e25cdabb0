import assert from "node:assert/strict";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createRefreshTokens, type RefreshTokens } from "../../../src/credentials/refresh-tokens.ts";
import { settle } from "../../fakes/clock.ts";
import { createCredentialFolder } from "../../fakes/token-credentials.ts";

const never = new AbortController().signal;
const FIRST = "canary-refresh-1";
let files = 0;

/** Each test has a credential of its own: what is known of one is known in the whole process. */
function createLogin(changes: { origin?: string; refreshToken?: string } = {}) {
  files += 1;
  const { origin = `file /no/such/login-${files}.json`, refreshToken = FIRST } = changes;
  return { origin, clientId: "client", refreshToken: new Secret(refreshToken) };
}

function create(stateDirectory?: string): { tokens: RefreshTokens; warnings: string[] } {
  const warnings: string[] = [];
  return { tokens: createRefreshTokens({ stateDirectory, warn: (message) => warnings.push(message) }), warnings };
}

/** Uses the refresh token once; tells which it was. */
function use(tokens: RefreshTokens, login: ReturnType<typeof createLogin>, replacement?: string): Promise<string> {
  const next = replacement === undefined ? undefined : new Secret(replacement);
  return tokens.use(login, async (token) => ({ result: token.reveal(), replacement: next }), never);
}

test("a refresh token that was replaced is used from then on, and without a state directory that is said once", async () => {
  const { tokens, warnings } = create();
  const login = createLogin();
  assert.equal(await use(tokens, login, "canary-2"), FIRST);
  assert.equal(await use(tokens, login, "canary-3"), "canary-2");
  assert.equal(await use(tokens, login), "canary-3");
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /login-\d+\.json was replaced .* lost at a restart, set stateDirectory/);
  assert.doesNotMatch(warnings.join(), /canary/);
});

test("a config that is reloaded goes on with the refresh token that is in memory", async () => {
  const login = createLogin();
  await use(create().tokens, login, "canary-2");
  assert.equal(await use(create().tokens, login), "canary-2");
});

test("two who use one login, even by two paths, never do so at the same time", async () => {
  await using folder = await createCredentialFolder();
  const { path } = await folder.write("login.json", {});
  await symlink(path, join(folder.path, "link.json"));
  const { tokens } = create();
  let running = 0;
  const used: string[] = [];
  const exchange = async (token: Secret) => {
    running += 1;
    assert.equal(running, 1);
    used.push(token.reveal());
    await settle();
    running -= 1;
    return { result: undefined, replacement: new Secret(`canary-${used.length + 1}`) };
  };
  const origins = [`file ${path}`, `file ${join(folder.path, "link.json")}`];
  const calls = Array.from({ length: 20 }, (_, index) =>
    tokens.use(createLogin({ origin: origins[index % 2] ?? "" }), exchange, never),
  );
  await Promise.all(calls);
  assert.deepEqual(used, [FIRST, ...Array.from({ length: 19 }, (_, index) => `canary-${index + 2}`)]);
});

test("a failed exchange holds up nobody after it", async () => {
  const { tokens } = create();
  const login = createLogin();
  const failure = new KeyServiceError("credential_unavailable", { problem: "down" });
  const failed = tokens.use(login, () => Promise.reject(failure), never);
  const next = use(tokens, login);
  await assert.rejects(failed, (error) => error === failure);
  assert.equal(await next, FIRST);
});

test("who gives up does not wait, and the token that comes late is kept all the same", async () => {
  const { tokens } = create();
  const login = createLogin();
  const controller = new AbortController();
  const answer = Promise.withResolvers<{ result: string; replacement: Secret }>();
  const begun = Promise.withResolvers<void>();
  const exchange = () => {
    begun.resolve();
    return answer.promise;
  };
  const call = tokens.use(login, exchange, controller.signal);
  await begun.promise;
  controller.abort(new KeyServiceError("deadline_exceeded", { problem: "too late" }));
  await assert.rejects(call, /too late/);
  answer.resolve({ result: "", replacement: new Secret("canary-late") });
  assert.equal(await use(tokens, login), "canary-late");
});

test("who gave up before its turn makes no exchange", async () => {
  const { tokens } = create();
  const login = createLogin();
  const controller = new AbortController();
  const first = Promise.withResolvers<{ result: string; replacement: undefined }>();
  const running = tokens.use(login, () => first.promise, never);
  let made = 0;
  const count = async () => {
    made += 1;
    return { result: "", replacement: undefined };
  };
  const waiting = tokens.use(login, count, controller.signal);
  controller.abort(new KeyServiceError("cancelled", { problem: "gone" }));
  await assert.rejects(waiting, /gone/);
  first.resolve({ result: "", replacement: undefined });
  await running;
  assert.equal(await use(tokens, login), FIRST);
  assert.equal(made, 0);
});

test("with a state directory it is private and names no token, and what was replaced outlives a restart", async () => {
  await using folder = await createCredentialFolder();
  const state = join(folder.path, "state", "deep");
  const { tokens, warnings } = create(state);
  const login = createLogin();
  await use(tokens, login, "canary-2");
  assert.deepEqual(warnings, []);
  const [name = "", ...others] = await readdir(state);
  assert.deepEqual(others, [], "nothing half-written is left");
  assert.match(name, /^refresh-token-[0-9a-f]{32}\.json$/);
  assert.equal((await stat(state)).mode & 0o777, 0o700);
  assert.equal((await stat(join(state, name))).mode & 0o777, 0o600);
  assert.doesNotMatch(await readFile(join(state, name), "utf8"), new RegExp(FIRST));
  // What this process remembers plays no part where it is in the file: another's replacement is seen.
  const text = await readFile(join(state, name), "utf8");
  await writeFile(join(state, name), text.replace("canary-2", "canary-other-process"));
  assert.equal(await use(create(state).tokens, login), "canary-other-process");
});

test("a credential that was changed wins over the state of the one before", async () => {
  await using folder = await createCredentialFolder();
  const state = join(folder.path, "state");
  const { tokens } = create(state);
  const login = createLogin();
  await use(tokens, login, "canary-2");
  const renewed = createLogin({ origin: login.origin, refreshToken: "canary-new-login" });
  assert.equal(await use(tokens, renewed, "canary-new-2"), "canary-new-login");
  assert.equal(await use(tokens, renewed), "canary-new-2");
  assert.equal((await readdir(state)).length, 1);
});

test("where another process had it replaced meanwhile, its token is tried, once", async () => {
  await using folder = await createCredentialFolder();
  const state = join(folder.path, "state");
  const { tokens } = create(state);
  const login = createLogin();
  await use(tokens, login, "canary-2");
  const [name = ""] = await readdir(state);
  const used: string[] = [];
  const refused = new KeyServiceError("credential_rejected", { problem: "replaced" });
  const exchange = async (token: Secret) => {
    used.push(token.reveal());
    const text = await readFile(join(state, name), "utf8");
    await writeFile(join(state, name), text.replace("canary-2", "canary-3"));
    throw refused;
  };
  await assert.rejects(tokens.use(login, exchange, never), (error) => error === refused);
  assert.deepEqual(used, ["canary-2", "canary-3"]);
});

test("a state directory that others can open is not written to, which is said, and no call fails of it", async () => {
  await using folder = await createCredentialFolder();
  await chmod(folder.path, 0o755);
  const { tokens, warnings } = create(folder.path);
  const login = createLogin();
  assert.equal(await use(tokens, login, "canary-2"), FIRST);
  assert.equal(await use(tokens, login, "canary-3"), "canary-2");
  assert.deepEqual(await readdir(folder.path), []);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /could not be written: others can open .* \(mode 755\): chmod it to 0700/);
});

test("damaged state is passed over, which is said", async () => {
  await using folder = await createCredentialFolder();
  const { tokens, warnings } = create(folder.path);
  const login = createLogin();
  await use(tokens, login, "canary-2");
  const [name = ""] = await readdir(folder.path);
  await writeFile(join(folder.path, name), '{"current":"canary-2');
  assert.equal(await use(tokens, login), FIRST);
  assert.match(warnings.join(), /could not be read: .* is damaged$/);
  assert.doesNotMatch(warnings.join(), /canary/);
});
