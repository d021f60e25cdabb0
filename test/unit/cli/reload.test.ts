import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActiveConfig } from "../../../src/cli/active-config.ts";
import { createReload } from "../../../src/cli/reload.ts";
import { createDefaultConfig } from "../../../src/config/default-config.ts";
import type { LogFields } from "../../../src/telemetry/log.ts";
import { settle } from "../../fakes/clock.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";

function createTestLog() {
  const lines: string[] = [];
  const write = (level: string) => (message: string, fields?: LogFields) => {
    lines.push(`${level}: ${message}${fields?.["keys"] === undefined ? "" : ` ${fields["keys"]}`}`);
  };
  return { lines, log: { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") } };
}

function activeConfig(warnings: readonly string[] = []): ActiveConfig {
  const config = createDefaultConfig(createEnvironment());
  return { config, warnings, origin: "", reload: () => Promise.reject(new Error("not asked for")) };
}

const APPLIES = "info: config read again; it applies from the next call on";

test("a reload tells the new config's warnings, and what only a restart applies", async () => {
  const { lines, log } = createTestLog();
  const read = () => Promise.resolve(activeConfig(["config.yaml:3:1: odd"]));
  const apply = () => Promise.resolve({ restartKeys: ["listeners[0].address", "limits.drain"] });
  await createReload({ read, apply, refused: () => assert.fail() }, log)();
  assert.deepEqual(lines, [
    APPLIES,
    "warn: config.yaml:3:1: odd",
    "warn: changed in the config, but only a restart applies it; until then the old values hold listeners[0].address, limits.drain",
  ]);
});

test("a config that cannot be read or used is an error of the log and on record, and nothing else", async () => {
  const { lines, log } = createTestLog();
  const problems: string[] = [];
  const refused = (problem: string) => problems.push(problem);
  const bad = () => Promise.reject(new Error("config.yaml:3:1: bad"));
  await createReload({ read: bad, apply: () => assert.fail(), refused }, log)();
  const unusable = () => Promise.reject(new Error("ca.pem: cannot be read"));
  await createReload({ read: () => Promise.resolve(activeConfig()), apply: unusable, refused }, log)();
  assert.deepEqual(problems, ["config.yaml:3:1: bad", "ca.pem: cannot be read"]);
  assert.deepEqual(lines, [
    "error: config not taken, the old one stays: config.yaml:3:1: bad",
    "error: config not taken, the old one stays: ca.pem: cannot be read",
  ]);
});

test("reloads asked for while one runs are one more after it, and the last that was written stays", async () => {
  const { lines, log } = createTestLog();
  const reads: PromiseWithResolvers<ActiveConfig>[] = [];
  const read = () => {
    const pending = Promise.withResolvers<ActiveConfig>();
    reads.push(pending);
    return pending.promise;
  };
  const applied: ActiveConfig[] = [];
  const apply = (active: ActiveConfig) => {
    applied.push(active);
    return Promise.resolve({ restartKeys: [] });
  };
  const reload = createReload({ read, apply, refused: () => assert.fail() }, log);
  const done = Array.from({ length: 6 }, () => reload());
  const [first, last] = [activeConfig(), activeConfig()];
  reads[0]?.resolve(first);
  await settle();
  assert.equal(reads.length, 2);
  reads[1]?.resolve(last);
  await Promise.all(done);
  assert.equal(reads.length, 2);
  assert.deepEqual(applied, [first, last]);
  assert.deepEqual(lines, [APPLIES, APPLIES]);
  const after = reload();
  assert.equal(reads.length, 3);
  reads[2]?.resolve(last);
  await after;
});
