import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createBinDirectory, writeScript } from "../fakes/bin-directory.ts";

const SCRIPTS = join(import.meta.dirname, "../../scripts");
const QUICKSTART = join(SCRIPTS, "quickstart");
const GET_SOPS = join(SCRIPTS, "get-sops");
const EXIT_NO_SOPS = 3;
/** The first run on a machine may have to get sops. */
const TIMEOUT_MS = 300_000;

let directory = "";
let temporary = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "qs-"));
  temporary = mkdtempSync(join(directory, "t-"));
});
afterEach(() => {
  assert.deepEqual(readdirSync(temporary), [], "temporary files are left");
  assert.deepEqual(processesNaming(temporary), [], "processes are left");
  rmSync(directory, { recursive: true, force: true });
});

/** Command lines that name a path: every daemon of the quickstart has one with its temporary directory. */
function processesNaming(path: string): string[] {
  if (!existsSync("/proc/self/cmdline")) {
    const { stdout } = spawnSync("ps", ["-A", "-o", "args"], { encoding: "utf8" });
    return stdout.split("\n").filter((line) => line.includes(path));
  }
  return globSync("/proc/[0-9]*/cmdline")
    .map((file) => readIfThere(file).replaceAll("\0", " "))
    .filter((line) => line.includes(path));
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It ended while we looked.
    return "";
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end; `onOutput` sees what it has printed so far. */
async function quickstart(
  more: NodeJS.ProcessEnv,
  args: readonly string[],
  onOutput: (output: string, stop: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(QUICKSTART, args, {
    // A test runner on a terminal asks its children for colours.
    env: { ...process.env, FORCE_COLOR: undefined, TMPDIR: temporary, ...more },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    onOutput(stdout, (signal) => child.kill(signal));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  const code = await promise;
  return { code, stdout, stderr };
}

/** So that nothing has to be installed where the test is not about sops. */
function withoutSops(): NodeJS.ProcessEnv {
  return {
    PATH: createBinDirectory(join(directory, "bin")),
    XDG_CACHE_HOME: join(directory, "cache"),
    SOPS_BIN: "",
  };
}

describe("the quickstart", { timeout: TIMEOUT_MS }, () => {
  test("shows files of two teams encrypted and decrypted by real sops, each by its own identity", async (t) => {
    const { status } = spawnSync(GET_SOPS, ["--quick"], { env: { ...process.env, SOPS_BIN: "" }, timeout: TIMEOUT_MS });
    if (status === EXIT_NO_SOPS && !process.env["CI"]) return t.skip("no sops can be had here");
    const { code, stdout, stderr } = await quickstart({ SOPS_BIN: "" }, ["--check"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\$ sops encrypt --output team-a\.enc\.yaml team-a\.yaml\n\s+database: ENC\[AES256_GCM,/);
    assert.match(stdout, /password: hunter2-of-team-a\n\s+Cloud KMS saw first@/);
    assert.match(stdout, /password: hunter2-of-team-b\n\s+Cloud KMS saw second@/);
    assert.match(stdout, /PermissionDenied\s+desc\s+=\s+no\s+rule/);
    assert.ok(!stdout.includes("\u001b"), "colours belong on a terminal only");
  });

  test("makes do with its own client where no sops can be had, and says so", async () => {
    const { code, stdout, stderr } = await quickstart(withoutSops(), ["--check"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /a built-in client of the key service protocol stands in/);
    assert.match(stdout, /the same 32 bytes\n\s+Cloud KMS saw first@/);
  });

  test("ends all it has started where sops fails, and says what sops said", async () => {
    const broken = join(directory, "broken-sops");
    writeScript(broken, 'case $1 in --version) echo "sops 3.13.3" ;; *) echo "no such luck" >&2; exit 7 ;; esac');
    const { code, stderr } = await quickstart({ SOPS_BIN: broken }, ["--check"]);
    assert.equal(code, 1);
    assert.match(stderr, /sops encrypt failed with exit code 7:\nno such luck/);
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ] as const) {
    test(`ends all it has started when ${signal} comes in the middle`, async () => {
      const ended = await quickstart(withoutSops(), ["--check"], (output, stop) => {
        if (output.includes("[3/6]")) stop(signal);
      });
      assert.equal(ended.code, code, ended.stderr);
    });
  }

  test("stays up with lines to copy until Ctrl-C, which is no failure", async () => {
    const running: string[] = [];
    const { code, stdout } = await quickstart(withoutSops(), [], (output, stop) => {
      if (!output.includes("Ctrl-C ends it all")) return;
      running.push(...processesNaming(temporary));
      stop("SIGINT");
    });
    assert.equal(code, 0);
    assert.match(stdout, /export SOPS_KEYSERVICE=unix:\/\/\S+ SOPS_ENABLE_LOCAL_KEYSERVICE=false/);
    assert.ok(
      running.some((line) => line.includes(" emulator ")),
      "the emulator ran",
    );
    assert.ok(
      running.some((line) => line.includes(" serve ")),
      "the server ran",
    );
  });

  const hasProc = existsSync("/proc/self/environ");
  test("passes no credential of the user on to what it starts", { skip: !hasProc }, async () => {
    const environments: string[] = [];
    const user = { GOOGLE_CREDENTIALS: "of-the-user", GOOGLE_APPLICATION_CREDENTIALS: "/of-the-user.json" };
    await quickstart({ ...withoutSops(), ...user }, [], (output, stop) => {
      if (!output.includes("Ctrl-C ends it all")) return;
      environments.push(...daemonEnvironments());
      stop("SIGINT");
    });
    assert.deepEqual(
      environments.filter((text) => text.includes("of-the-user")),
      [],
    );
    assert.ok(environments.length >= 2, "both daemons were looked at");
  });
});

/** What the daemons under the temporary directory were started with. */
function daemonEnvironments(): string[] {
  return globSync("/proc/[0-9]*/cmdline")
    .filter((file) => readIfThere(file).includes(temporary))
    .map((file) => readIfThere(file.replace(/cmdline$/, "environ")));
}
