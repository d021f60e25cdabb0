import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import type { KeyServiceError } from "../../../../src/core/errors.ts";
import { createFakeClock } from "../../../fakes/clock.ts";
import { impersonationUrl, JWT_TYPE, startFederation } from "../../../fakes/federation.ts";
import { getError, getToken } from "../../../fakes/token-set-up.ts";

const federation = await startFederation();
after(() => federation[Symbol.asyncDispose]());
const { emulator, folder, credential, create } = federation;
const CANARY = "canary-of-an-executable";
const allowed = { allowExecutable: true };

const subjectToken = await emulator.admin.issueSubjectToken({ subject: "job" });
const good = { version: 1, success: true, token_type: JWT_TYPE, id_token: subjectToken };
const soon = () => Math.floor(Date.now() / 1000) + 600;

let scripts = 0;

async function script(text: string): Promise<string> {
  const { path } = await folder.write(`script-${++scripts}`, `#!/bin/sh\n${text}\n`, 0o700);
  return path;
}

async function printing(response: unknown, more = ""): Promise<string> {
  const { path } = await folder.write(`response-${++scripts}.json`, response);
  return script(`${more}cat ${path}`);
}

const run = (command: string, more: object = {}) => create(credential({ executable: { command, ...more } }), allowed);

async function refusalOf(command: string, more: object = {}): Promise<KeyServiceError> {
  const error = await getError(await run(command, more));
  assert.match(error.message, /token source: subject/);
  assert.match(error.message, /\nto do: /);
  assert.doesNotMatch(error.message, new RegExp(CANARY));
  return error;
}

test("an executable does not run where the config does not allow it", async () => {
  const marker = join(folder.path, "ran");
  const path = await script(`touch ${marker}`);
  const error = await getError(await create(credential({ executable: { command: path } })));
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /may not\n.*\nto do: .*allowExecutable: true/);
  assert.equal(existsSync(marker), false);
});

test("what an executable prints is exchanged, and it is run again for the next token", async () => {
  const counter = join(folder.path, "count");
  const holder = await run(await printing(good, `echo x >> ${counter}; echo ${CANARY} >&2; `));
  const token = await getToken(holder);
  assert.match(token.principal ?? "", /subject\/job$/);
  assert.match(token.steps[0] ?? "", /^subject token from executable \//);
  holder.invalidate(token.generation);
  await getToken(holder);
  assert.equal(await readFile(counter, "utf8"), "x\nx\n");
});

test("no shell reads the command, and double quotes hold an argument together", async () => {
  const seen = join(folder.path, "arguments");
  const path = await printing(good, `printf '%s\\n' "$@" > ${seen}; `);
  await getToken(await run(`${path} "a b" $HOME ;touch`));
  assert.equal(await readFile(seen, "utf8"), "a b\n$HOME\n;touch\n");
});

test("an executable sees PATH, HOME and what google documents, and nothing else of our environment", async () => {
  const seen = join(folder.path, "environment");
  const path = await printing({ ...good, expiration_time: soon() }, `/usr/bin/env > ${seen}; `);
  const url = impersonationUrl(emulator, emulator.principals.impersonated);
  const output = join(folder.path, "never-written");
  const file = credential({ executable: { command: path, output_file: output } });
  const variables = { HOME: "/home/x", AWS_SECRET_ACCESS_KEY: CANARY };
  await getToken(await create({ ...file, service_account_impersonation_url: url }, allowed, { variables }));
  const names = (await readFile(seen, "utf8"))
    .split("\n")
    .map((line) => line.split("=")[0])
    .filter((name) => !["", "PWD", "OLDPWD", "SHLVL", "_"].includes(name ?? ""));
  assert.deepEqual(names.toSorted(), [
    "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
    "GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL",
    "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE",
    "GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
    "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
    "HOME",
    "PATH",
  ]);
});

test("a response that is held in the output file is used while it is good", async () => {
  const held = { ...good, expiration_time: soon() };
  const { path } = await folder.write("held.json", held);
  const token = await getToken(await run("/nonexistent/executable", { output_file: path }));
  assert.match(token.steps[0] ?? "", /output file/);
});

for (const [name, content] of [
  ["expired", { ...good, expiration_time: 1000 }],
  ["without an expiry", good],
  ["of a failure", { version: 1, success: false, code: "401", message: CANARY }],
  ["of nothing", ""],
] as const) {
  test(`an output file ${name} is passed over: the executable runs`, async () => {
    const { path } = await folder.write(`held-${++scripts}.json`, content);
    const command = await printing({ ...good, expiration_time: soon() });
    const token = await getToken(await run(command, { output_file: path }));
    assert.match(token.steps[0] ?? "", /executable/);
  });
}

for (const [name, response, expected] of [
  ["text", `hello ${CANARY}`, /not a JSON object/],
  ["another version", { ...good, version: 2 }, /version is not 1/],
  ["another token type", { ...good, token_type: "urn:ietf:params:oauth:token-type:saml2" }, /its token_type/],
  ["no token", { ...good, id_token: undefined }, /it has no id_token/],
  ["a token that is no JWT", { ...good, id_token: CANARY }, /malformed: it is not a JWT/],
  ["a token that has expired", { ...good, expiration_time: 1000 }, /has expired/],
] as const) {
  test(`an executable that prints ${name} is an error that only its owner can mend`, async () => {
    const error = await refusalOf(await printing(response));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
  });
}

test("a failure that the executable reports is told by its code, never by its message", async () => {
  const error = await refusalOf(await printing({ version: 1, success: false, code: "401", message: CANARY }));
  assert.equal(error.code, "credential_unavailable");
  assert.match(error.message, /reports a failure \(401\)/);
});

test("an executable that fails is told by its exit code", async () => {
  const error = await refusalOf(await script(`echo ${CANARY}; exit 7`));
  assert.equal(error.code, "credential_unavailable");
  assert.match(error.message, /failed with exit code 7/);
});

test("an executable that is not there is told so", async () => {
  const error = await refusalOf("/nonexistent/executable");
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /cannot be run \(ENOENT\)/);
});

test("an executable that babbles without end is stopped", async () => {
  const error = await refusalOf("/usr/bin/yes");
  assert.equal(error.code, "credential_rejected");
  assert.match(error.message, /printed more than 65536 bytes/);
});

for (const [name, executable, expected] of [
  ["a relative path", { command: "token" }, /does not begin with an absolute path/],
  ["a time limit below google's", { command: "/bin/true", timeout_millis: 10 }, /timeout_millis/],
  ["no command", {}, /"credential_source.executable.command" is missing/],
] as const) {
  test(`an executable with ${name} is refused before it runs`, async () => {
    const error = await getError(await create(credential({ executable }), allowed));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, expected);
  });
}

test("an executable that hangs is killed with all that it started, at its time limit", async () => {
  const clock = createFakeClock({ startMs: Date.now() });
  const pids = join(folder.path, "pids");
  const command = await script(`sleep 300 & echo "$$ $!" > ${pids}.new; mv ${pids}.new ${pids}; wait`);
  const executable = { command, timeout_millis: 5000 };
  const holder = await create(credential({ executable }), allowed, { clock });
  const refused = getError(holder);
  while (!existsSync(pids)) await new Promise((resolve) => setImmediate(resolve));
  const processes = (await readFile(pids, "utf8")).trim().split(" ").map(Number);
  await clock.pass(10_000);
  assert.match((await refused).message, /^executable \/.* did not end within 5 seconds\n/);
  for (const pid of processes) while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
});

/** A zombie that nobody has collected yet is dead enough. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(process.platform === "linux" ? readFileSync(`/proc/${pid}/status`, "utf8") : "");
  } catch {
    return false;
  }
}
