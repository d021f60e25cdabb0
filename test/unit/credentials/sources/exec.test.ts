import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import type { KeyServiceError } from "../../../../src/core/errors.ts";
import { createFakeClock, settle } from "../../../fakes/clock.ts";
import { createScript } from "../../../fakes/exec-commands.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

const CANARY = "canary-9f8e7d6c";
const soon = () => new Date(Date.now() + 1_800_000).toISOString();
const credential = (fields: object, status: object) =>
  JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", ...fields, status });
const inSeconds = () => Math.floor(Date.now() / 1000) + 1800;

async function errorOf(setUp: TokenSetUp, script: string): Promise<KeyServiceError> {
  const error = await getError(setUp.create({ subject: await createScript(setUp.folder, script) })("subject"));
  assert.match(error.message, /token source: subject/);
  assert.match(error.message, /\nto do: /);
  assert.doesNotMatch(error.message + inspect(error, { depth: 9 }), new RegExp(CANARY));
  return error;
}

describe("exec understands", () => {
  const answers: readonly (readonly [what: string, answer: () => string, format: string])[] = [
    ["an ExecCredential", () => credential({}, { token: "tok", expirationTimestamp: soon() }), "ExecCredential"],
    [
      "an ExecCredential of v1beta1",
      () =>
        credential(
          { apiVersion: "client.authentication.k8s.io/v1beta1" },
          { token: "tok", expirationTimestamp: soon() },
        ),
      "ExecCredential",
    ],
    [
      "Google's executable response",
      () =>
        JSON.stringify({
          version: 1,
          success: true,
          token_type: "urn:ietf:params:oauth:token-type:access_token",
          access_token: "tok",
          expiration_time: inSeconds(),
        }),
      "executable response",
    ],
    [
      "a token endpoint's answer, its number in quotes",
      () => JSON.stringify({ access_token: "tok", expires_in: "1800", token_type: "Bearer" }),
      "token response",
    ],
  ];
  for (const [what, answer, format] of answers) {
    test(what, async () => {
      await using setUp = await setUpTokens();
      await writeFile(join(setUp.folder.path, "answer"), answer());
      const token = await getToken(
        setUp.create({ subject: await createScript(setUp.folder, "cat answer") })("subject"),
      );
      assert.equal(token.accessToken.reveal(), "tok");
      assert.ok(Math.abs(token.expiresAtMs - Date.now() - 1_800_000) < 30_000);
      assert.deepEqual(token.steps, ["command give-token", format]);
    });
  }
});

describe("exec refuses, with the source and a remedy, and never what was printed", () => {
  const cases: readonly (readonly [what: string, script: string, code: string, message: RegExp])[] = [
    [
      "a command that fails",
      `echo ${CANARY} >&2; exit 3`,
      "credential_unavailable",
      /ended with code 3 \(0 characters of output, 16 bytes of errors, not shown\)/,
    ],
    ["one that is killed", "kill -9 $$", "credential_unavailable", /ended by SIGKILL/],
    ["one that babbles", `echo hello ${CANARY}`, "credential_unavailable", /printed no JSON object/],
    ["one that prints nothing", "true", "credential_unavailable", /printed no JSON object \(0 characters/],
    ["one that floods", `yes ${CANARY}`, "credential_unavailable", /printed more than 65536 bytes and was killed/],
    [
      "one that says itself that it has none",
      `echo '{"version":1,"success":false,"code":"LOGGED_OUT","message":"${CANARY}"}'; exit 1`,
      "credential_rejected",
      /says that it has no token \(LOGGED_OUT\)/,
    ],
    [
      "an ID token",
      `echo '{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"${CANARY}"}'`,
      "credential_rejected",
      /token_type is not that of an access token\n.*\nto do: .*external_account/,
    ],
    [
      "an answer without an expiry",
      `echo '{"access_token":"${CANARY}"}'`,
      "credential_rejected",
      /expires_in is missing/,
    ],
    [
      "a token with a line break in it",
      `echo '{"access_token":"${CANARY}\\\\nx","expires_in":1800}'`,
      "credential_rejected",
      /access_token holds what cannot be in a token/,
    ],
    [
      "an ExecCredential of an unknown version",
      `echo '{"kind":"ExecCredential","apiVersion":"v9","status":{"token":"${CANARY}"}}'`,
      "credential_rejected",
      /apiVersion is not client\.authentication/,
    ],
    ["JSON of no known kind", `echo '{"token":"${CANARY}"}'`, "credential_rejected", /neither an ExecCredential nor/],
    [
      "an expiry that is no time",
      `echo '${credential({}, { token: CANARY, expirationTimestamp: "tomorrow" })}'`,
      "credential_rejected",
      /without a usable expiry/,
    ],
  ];
  for (const [what, script, code, message] of cases) {
    test(what, async () => {
      await using setUp = await setUpTokens();
      const error = await errorOf(setUp, script);
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });
  }

  test("a script whose interpreter is not there", async () => {
    await using setUp = await setUpTokens();
    const config = await createScript(setUp.folder, "true");
    await writeFile(config.command[0] ?? "", "#!/no/such/interpreter\n");
    const error = await getError(setUp.create({ subject: config })("subject"));
    assert.match(error.message, /cannot be started \(ENOENT\)\n.*\nto do: check the program and the interpreter/);
  });

  test("a directory that is not there", async () => {
    await using setUp = await setUpTokens();
    const config = await createScript(setUp.folder, "true", { cwd: "/no/such/folder" });
    const error = await getError(setUp.create({ subject: config })("subject"));
    assert.match(error.message, /to do: there is no directory \/no\/such\/folder/);
  });

  test("a file that cannot be run", async () => {
    await using setUp = await setUpTokens();
    const config = await createScript(setUp.folder, "true");
    await chmod(config.command[0] ?? "", 0o600);
    const error = await getError(setUp.create({ subject: config })("subject"));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /cannot be run by the user/);
  });
});

describe("the command of exec", () => {
  test("is no credential where there is no such program, so that a chain goes on", async () => {
    await using setUp = await setUpTokens();
    for (const program of ["/no/such/program", "no-such-program-here"]) {
      const config: TokenSourceConfig = { type: "exec", command: [program], env: [], cwd: "/", timeoutMs: 1000 };
      const error = await getError(setUp.create({ subject: config }, { variables: { PATH: "/bin" } })("subject"));
      assert.equal(error.code, "credential_missing");
      assert.match(error.message, new RegExp(`there is no program ${program}`));
    }
  });

  test("is found on PATH by its name", async () => {
    await using setUp = await setUpTokens();
    const config = await createScript(setUp.folder, `echo '{"access_token":"tok","expires_in":1800}'`);
    const variables = { PATH: `/no/such/folder:${setUp.folder.path}:/bin` };
    const holder = setUp.create({ subject: { ...config, command: ["give-token"] } }, { variables })("subject");
    assert.equal((await getToken(holder)).accessToken.reveal(), "tok");
  });

  test("gets its arguments as they are, and of the environment what is named and no more", async () => {
    await using setUp = await setUpTokens();
    const script = `printf '%s\\n' "$@" > args; env > env; echo '{"access_token":"tok","expires_in":1800}'`;
    const config = await createScript(setUp.folder, script, { env: ["WANTED", "UNSET"] });
    const command = [...config.command, "$(touch pwned)", "a b", "; touch pwned"];
    const variables = { PATH: "/usr/bin:/bin", HOME: "/home/me", WANTED: "w", OTHER: CANARY };
    await getToken(setUp.create({ subject: { ...config, command } }, { variables })("subject"));
    const read = (name: string) => readFile(join(setUp.folder.path, name), "utf8");
    assert.equal(await read("args"), "$(touch pwned)\na b\n; touch pwned\n");
    assert.equal(existsSync(join(setUp.folder.path, "pwned")), false);
    const names = (await read("env")).split("\n").map((line) => line.split("=")[0] ?? "");
    const own = ["PWD", "OLDPWD", "SHLVL", "_", ""];
    assert.deepEqual(names.filter((name) => !own.includes(name)).toSorted(), [
      "HOME",
      "PATH",
      "SOPS_KEYD_TOKEN_SCOPE",
      "WANTED",
    ]);
    assert.match(await read("env"), /^SOPS_KEYD_TOKEN_SCOPE=https:\/\/www\.googleapis\.com\/auth\/cloudkms$/m);
  });

  test("is killed with its children when its time is over", async () => {
    const clock = createFakeClock({ startMs: Date.now() });
    await using setUp = await setUpTokens();
    // The pipe ends when its last writer, the command's child, is gone.
    const pipe = join(setUp.folder.path, "pipe");
    execFileSync("mkfifo", [pipe]);
    const script = "mkdir once || exit 9; (exec sleep 600 > pipe) & exec sleep 600";
    const config = await createScript(setUp.folder, script, { timeoutMs: 2000 });
    const holder = setUp.create({ subject: config }, { clock })("subject");
    const outcome = getError(holder);
    // Opens once the child has opened the other end.
    await using reader = await open(pipe);
    await clock.pass(2000);
    assert.equal(await reader.readFile("utf8"), "");
    await clock.pass(10_000);
    const error = await outcome;
    assert.equal(error.code, "credential_unavailable");
    await settle();
    assert.equal(clock.pendingTimers, 0);
  });

  test("does not leave behind what it started in the background", async () => {
    await using setUp = await setUpTokens();
    const script = `sleep 600 & echo '{"access_token":"tok","expires_in":1800}'`;
    const holder = setUp.create({ subject: await createScript(setUp.folder, script) })("subject");
    assert.equal((await getToken(holder)).accessToken.reveal(), "tok");
  });
});
