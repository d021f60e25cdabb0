import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { callerAt } from "../../../src/access/caller.ts";
import type { AccessRequest } from "../../../src/access/decision.ts";
import { createApprover } from "../../../src/approval/approver.ts";
import { NoTerminal, type Terminal } from "../../../src/approval/terminal.ts";
import type { ApproveConfig, CommandApproveConfig } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { eventually } from "../../e2e/harness/bounded.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";

const REQUEST: AccessRequest = {
  key: parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k"),
  caller: callerAt("unix:///run/a.sock", "team-a"),
  operation: "decrypt",
  listenerIsLocal: true,
};
const NEVER = new AbortController().signal;
const TERMINAL: ApproveConfig = { by: "terminal", operations: ["decrypt"], timeoutMs: 30_000, rememberMs: 0 };

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function refusal(work: Promise<unknown>, code = "approval_refused"): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof KeyServiceError, String(thrown));
    assert.equal(thrown.code, code);
    return thrown.message;
  }
  return assert.fail("it was approved");
}

describe("an approval command", () => {
  async function setUp(
    script: string,
    changes: Partial<CommandApproveConfig> = {},
    variables = {},
    clock = systemClock,
  ) {
    const folder = await mkdtemp(join(tmpdir(), "approval-"));
    const program = join(folder, "ask");
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
    const approve = createApprover({
      environment: createEnvironment({ PATH: "/usr/bin:/bin", HOME: folder, ...variables }),
      clock,
      terminal: undefined,
    });
    const config: CommandApproveConfig = {
      by: "command",
      command: [program, "an argument"],
      env: [],
      cwd: folder,
      operations: ["decrypt"],
      timeoutMs: 30_000,
      rememberMs: 0,
      ...changes,
    };
    return {
      folder,
      ask: (request = REQUEST, signal = NEVER) => approve(request, "prod", config, signal),
      read: (name: string) => readFile(join(folder, name), "utf8"),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  }

  test("that ends with 0 has approved", async () => {
    await using setup = await setUp("exit 0");
    assert.equal(await setup.ask(), "command");
  });

  test("gets what there is to decide about, the variables that the config names, and no others", async () => {
    const variables = { CHANNEL: "ops", SECRET: "canary" };
    await using setup = await setUp('env | sort > seen; printf "%s" "$1" > argument', { env: ["CHANNEL"] }, variables);
    const peer = { kind: "unix_peer", uid: 1000, gid: 1000, pid: 77 } as const;
    await setup.ask({ ...REQUEST, caller: { ...REQUEST.caller, proofs: [...REQUEST.caller.proofs, peer] } });
    const names = (await setup.read("seen")).split("\n").filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line));
    assert.deepEqual(names, [
      "CHANNEL=ops",
      `HOME=${setup.folder}`,
      "PATH=/usr/bin:/bin",
      "SOPS_KEYD_CALLER=team-a",
      `SOPS_KEYD_KEY=${REQUEST.key}`,
      "SOPS_KEYD_LISTENER=unix:///run/a.sock",
      "SOPS_KEYD_OPERATION=decrypt",
      "SOPS_KEYD_PEER_PID=77",
      "SOPS_KEYD_PEER_UID=1000",
      "SOPS_KEYD_RULE=prod",
      "SOPS_KEYD_TIMEOUT_MS=30000",
      "",
    ]);
    assert.equal(await setup.read("argument"), "an argument");
  });

  const refusals: readonly (readonly [what: string, script: string, words: RegExp])[] = [
    ["that ends with another code", "exit 3", /^not approved: the approval command ask ended with code 3\nto do: ask/],
    [
      "that says why",
      'echo "change freeze until monday"; echo more; exit 1',
      /^not approved: change freeze until monday\n/,
    ],
    ["that a signal ends", "kill -TERM $$", /^not approved: the approval command ask was ended by SIGTERM\n/],
    ["that prints without end", "yes", /^the approval command ask printed more than 65536 bytes and was killed\n/],
    ["that prints what moves the cursor", "printf '\\033[2Jfine\\n'; exit 1", /^not approved: \?\[2Jfine\n/],
  ];
  for (const [what, script, words] of refusals) {
    test(`${what} has refused`, async () => {
      await using setup = await setUp(script);
      assert.match(await refusal(setup.ask()), words);
    });
  }

  test("that is not there has refused, and the message says what to correct", async () => {
    await using setup = await setUp("exit 0", { command: ["/does/not/exist"] });
    assert.match(
      await refusal(setup.ask()),
      /is missing: no \/does\/not\/exist\nto do: correct approve.command of rule prod/,
    );
  });

  test("that does not end in time is killed, and has refused", async () => {
    const clock = createFakeClock();
    await using setup = await setUp("echo $$ > written; mv written pid; sleep 60", {}, {}, clock);
    const asked = refusal(setup.ask());
    await eventually(20_000, "the command runs", () => existsSync(join(setup.folder, "pid")));
    clock.advance(30_000);
    assert.match(await asked, /^not approved: nobody answered within 30s\nto do: .*approve.timeout/);
    const pid = Number(await setup.read("pid"));
    await eventually(20_000, "the command is gone", () => !isAlive(pid));
  });

  test("is killed where its caller gives up", async () => {
    await using setup = await setUp("sleep 60");
    const caller = new AbortController();
    const asked = setup.ask(REQUEST, caller.signal);
    caller.abort(new KeyServiceError("cancelled", { problem: "the caller gave up" }));
    await refusal(asked, "cancelled");
  });

  test("is asked once for the same caller, operation and key while its yes is remembered", async () => {
    await using setup = await setUp("echo asked >> asked", { rememberMs: 60_000 });
    assert.deepEqual(await Promise.all([setup.ask(), setup.ask()].map((each) => each.then(() => true))), [true, true]);
    const before = (await setup.read("asked")).length;
    assert.equal(await setup.ask(), "remembered");
    assert.equal((await setup.read("asked")).length, before);
    for (const other of [
      { caller: callerAt("unix:///run/a.sock", "team-b") },
      { operation: "encrypt" as const },
      { key: parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/other") },
    ]) {
      assert.equal(await setup.ask({ ...REQUEST, ...other }), "command");
    }
  });
});

describe("a prompt at a terminal", () => {
  /** A terminal whose questions the test answers. */
  function setUp(config: Partial<ApproveConfig> = {}) {
    const clock = createFakeClock();
    const questions: { readonly text: string; answer(line: string): void }[] = [];
    const terminal: Terminal = {
      ask(text, signal) {
        const { promise, resolve, reject } = Promise.withResolvers<string>();
        signal.addEventListener("abort", () => reject(signal.reason));
        questions.push({ text, answer: resolve });
        return promise;
      },
    };
    const approve = createApprover({ environment: createEnvironment(), clock, terminal });
    const ask = (request = REQUEST, signal = NEVER) =>
      approve(request, "prod", { ...TERMINAL, ...config } as ApproveConfig, signal);
    return { clock, questions, ask };
  }

  test("shows who wants what, and takes y or yes for a yes", async () => {
    for (const yes of ["y", "Y", "yes", "YES"]) {
      const { questions, ask } = setUp();
      const asked = ask();
      await settle();
      questions[0]?.answer(yes);
      assert.equal(await asked, "terminal");
      assert.equal(
        questions[0]?.text,
        `
sops-keyd: decrypt with ${REQUEST.key}
  for caller team-a at unix:///run/a.sock
  by rule prod
approve? [y/N] (within 30s) `,
      );
    }
  });

  test("takes everything else for a no", async () => {
    for (const no of ["", "n", "yy", "y y", "yes please", "да", "y\u0000"]) {
      const { questions, ask } = setUp();
      const asked = ask();
      await settle();
      questions[0]?.answer(no);
      assert.match(await refusal(asked), /^not approved: whoever sits at the terminal of sops-keyd said no/);
    }
  });

  test("asks one question at a time, and a call that waits for its turn is held to the same time", async () => {
    const { questions, ask, clock } = setUp();
    const [first, second, third] = [ask(), ask(), ask()];
    await settle();
    assert.equal(questions.length, 1);
    questions[0]?.answer("y");
    assert.equal(await first, "terminal");
    await settle();
    assert.equal(questions.length, 2);
    clock.advance(30_000);
    for (const late of [second, third]) assert.match(await refusal(late), /nobody answered within 30s/);
    assert.equal(questions.length, 2);
    const next = ask();
    await settle();
    questions[2]?.answer("y");
    assert.equal(await next, "terminal");
  });

  test("refuses at once what finds no room to wait", async () => {
    const { questions, ask, clock } = setUp();
    const waiting = Array.from({ length: 65 }, () => refusal(ask()));
    assert.match(await refusal(ask(), "overloaded"), /^64 calls wait for approval already\nto do: try again/);
    await settle();
    assert.equal(questions.length, 1);
    clock.advance(30_000);
    await Promise.all(waiting);
  });

  test("that was answered is not asked again for who waits with the same question, where it is remembered", async () => {
    const { questions, ask, clock } = setUp({ rememberMs: 60_000 });
    const [first, second] = [ask(), ask()];
    await settle();
    questions[0]?.answer("y");
    assert.deepEqual(await Promise.all([first, second]), ["terminal", "remembered"]);
    clock.advance(60_000);
    const again = ask();
    await settle();
    assert.equal(questions.length, 2);
    questions[1]?.answer("n");
    await refusal(again);
  });

  test("is refused where there is no terminal, and the message says what to do", async () => {
    const absent: Terminal = { ask: () => Promise.reject(new NoTerminal("sops-keyd has no terminal")) };
    for (const terminal of [absent, undefined]) {
      const approve = createApprover({ environment: createEnvironment(), clock: createFakeClock(), terminal });
      assert.match(
        await refusal(approve(REQUEST, "prod", TERMINAL, NEVER)),
        /^nobody can be asked for approval: .*\nto do: run sops-keyd in the foreground of a terminal, or give rule prod an approve.command/,
      );
    }
  });
});
