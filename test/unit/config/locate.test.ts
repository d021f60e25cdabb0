import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Environment } from "../../../src/config/environment.ts";
import { findConfig } from "../../../src/config/find-config.ts";
import { ConfigError } from "../../../src/config/issue.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { locateConfig } from "../../../src/config/locate.ts";

async function directoryFor(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sops-keyd-locate-"));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

async function write(path: string, text = "version: 1\n"): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

function environmentOf(variables: Readonly<Record<string, string>>): Environment {
  return { get: (name) => variables[name] };
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail("it was accepted"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.message;
}

test("--config goes before SOPS_KEYD_CONFIG, which goes before the user's, and each says so", async (t) => {
  const home = await directoryFor(t);
  const byOption = await write(join(home, "option.yaml"));
  const byVariable = await write(join(home, "variable.yaml"));
  const users = await write(join(home, "xdg", "sops-keyd", "config.yaml"));
  const variables = { HOME: home, XDG_CONFIG_HOME: join(home, "xdg"), SOPS_KEYD_CONFIG: byVariable };
  const { SOPS_KEYD_CONFIG: _, ...withoutVariable } = variables;
  assert.deepEqual(await locateConfig(byOption, environmentOf(variables)), { path: byOption, chosenBy: "--config" });
  assert.deepEqual(await locateConfig(undefined, environmentOf(variables)), {
    path: byVariable,
    chosenBy: "SOPS_KEYD_CONFIG",
  });
  assert.deepEqual(await locateConfig(undefined, environmentOf(withoutVariable)), {
    path: users,
    chosenBy: "the user's config",
  });
});

test("without XDG_CONFIG_HOME, or with a relative one, the user's config lies in ~/.config", async (t) => {
  const home = await directoryFor(t);
  const path = await write(join(home, ".config", "sops-keyd", "config.yaml"));
  for (const variables of [{ HOME: home }, { HOME: home, XDG_CONFIG_HOME: "relative" }]) {
    assert.deepEqual(await locateConfig(undefined, environmentOf(variables)), { path, chosenBy: "the user's config" });
  }
});

test("a file that is named and missing is an error, though another would be found", async (t) => {
  const home = await directoryFor(t);
  await write(join(home, ".config", "sops-keyd", "config.yaml"));
  const missing = join(home, "missing.yaml");
  assert.equal(
    await messageOf(locateConfig(missing, environmentOf({ HOME: home }))),
    `${missing}: there is no such file (--config names it)`,
  );
  assert.equal(
    await messageOf(locateConfig(undefined, environmentOf({ HOME: home, SOPS_KEYD_CONFIG: missing }))),
    `${missing}: there is no such file (SOPS_KEYD_CONFIG names it)`,
  );
});

test("a config that is there and cannot be looked at is not passed over", async (t) => {
  const home = await directoryFor(t);
  // A name too long for a file system stands in for a directory without permission, which would not stop root.
  const xdg = join(home, "x".repeat(300));
  const located = await locateConfig(undefined, environmentOf({ HOME: home, XDG_CONFIG_HOME: xdg }));
  assert.equal(located.path, join(xdg, "sops-keyd", "config.yaml"));
  assert.match(await messageOf(loadConfig(located.path)), /cannot be read: its path is too long/);
});

test("where there is none, the places are told", async (t) => {
  const home = await directoryFor(t);
  const located = await locateConfig(undefined, environmentOf({ HOME: home }));
  if (located.path !== undefined) return t.skip("this machine has a system-wide config");
  assert.deepEqual(located.lookedFor, [join(home, ".config/sops-keyd/config.yaml"), "/etc/sops-keyd/config.yaml"]);
  assert.match(
    await messageOf(findConfig(undefined, environmentOf({ HOME: home }))),
    /no config found \(looked for .*--config$/,
  );
});

test("a config is loaded from its file, with paths that start at its directory", async (t) => {
  const home = await directoryFor(t);
  const path = await write(
    join(home, "c.yaml"),
    "version: 1\ntokenSources: { a: { type: access_token, file: token } }\n",
  );
  const { config, warnings } = await loadConfig(path);
  assert.equal(config.path, path);
  assert.deepEqual(config.tokenSources.get("a"), {
    type: "access_token",
    token: { kind: "file", path: join(home, "token") },
  });
  assert.deepEqual(
    warnings.map(({ file, line }) => [file, line]),
    [[path, 2]],
  );
});

test("a directory, a device and a file above the limit are no configs", async (t) => {
  const home = await directoryFor(t);
  assert.match(await messageOf(loadConfig(home)), /is not a regular file/);
  assert.match(await messageOf(loadConfig("/dev/zero")), /is not a regular file/);
  const large = await write(join(home, "large.yaml"), `#${"x".repeat(3_000_000)}`);
  assert.match(await messageOf(loadConfig(large)), /is larger than 1048576 bytes/);
});
