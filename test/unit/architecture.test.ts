import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));

/**
 * The way of a request, and what each step may import: itself, and what comes after it. `core` is for all; the types
 * of the config are data that every step reads.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli"],
  index: [
    "assembly",
    "audit",
    "key-service",
    "server",
    "backends",
    "access",
    "config",
    "credentials",
    "kms",
    "routing",
    "emulator",
    "telemetry",
    "core",
  ],
  cli: [
    "package-files",
    "approval",
    "assembly",
    "connect",
    "audit",
    "key-service",
    "server",
    "access",
    "routing",
    "config",
    "credentials",
    "kms",
    "emulator",
    "telemetry",
    "core",
  ],
  connect: ["server", "access", "credentials", "network", "config", "core"],
  server: ["package-files", "key-service", "backends", "access", "network", "config", "core"],
  assembly: ["approval", "backends", "access", "routing", "credentials", "kms", "network", "config", "core"],
  "key-service": ["backends", "audit", "access", "telemetry", "config", "core"],
  approval: ["access", "credentials", "config", "core"],
  backends: ["audit", "access", "routing", "credentials", "kms", "config", "core"],
  audit: ["access", "routing", "network", "config", "core"],
  telemetry: ["access", "config", "core"],
  access: ["routing", "config", "core"],
  kms: ["credentials", "network", "routing", "config", "core"],
  credentials: ["network", "config", "core"],
  // The way to other hosts: proxies, CAs, names.
  network: ["config", "core"],
  emulator: ["kms", "config", "core"],
  // The config is judged by the rules of routing: its patterns, and which of them cover others.
  config: ["routing", "core"],
  routing: ["core"],
  "package-files": [],
  core: [],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

function stepOf(file: string): string {
  return (file.split("/")[0] ?? "").replace(/\.ts$/, "");
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(SOURCE, file), "utf8");
  return [...text.matchAll(/(?:from|import\(|import) ?"(\.[^"]+)"/g)].map(([, specifier = ""]) => ({
    from: file,
    to: normalize(join(dirname(file), specifier)),
  }));
}

const FILES = globSync("**/*.ts", { cwd: SOURCE });

describe("the source", () => {
  test("has its imports point forward along the way of a request", () => {
    const backward = FILES.flatMap(importsOf).filter(({ from, to }) => {
      const [here, there] = [stepOf(from), stepOf(to)];
      return here !== there && !MAY_IMPORT[here]?.includes(there);
    });
    assert.ok(FILES.length > 50);
    assert.deepEqual(backward, []);
  });

  test("reads the environment in one module alone", () => {
    const readers = FILES.filter((file) => /process\.env\b/.test(readFileSync(join(SOURCE, file), "utf8")));
    assert.deepEqual(readers, ["config/environment.ts"]);
  });

  test("needs nothing but its own files and commander to show its version", () => {
    assert.deepEqual(loadedPackages(["main.ts", "--version"]), new Set(["commander"]));
  });

  test("loads the heavy libraries only where they are used", () => {
    const heavy = /^import (?!type)[^;]*from "(google-auth-library|zod|@google-cloud\/kms|jose|@opentelemetry)[^"]*"/m;
    const eager = FILES.filter((file) => heavy.test(readFileSync(join(SOURCE, file), "utf8")));
    assert.deepEqual(
      eager.filter((file) => !/^(config\/(schema|shape|json-schema)|emulator\/|audit\/otlp-sink)/.test(file)),
      [],
    );
  });

  for (const [transport, isLoaded] of [
    ["rest", false],
    ["grpc", true],
  ] as const) {
    test(`${isLoaded ? "loads" : "does not load"} Google's client where a rule says transport: ${transport}`, () => {
      const program = `import { createTransport } from "./kms/create-transport.ts";
        import { systemClock } from "./core/clock.ts";
        const kms = { endpoint: "http://127.0.0.1:1", transport: "${transport}", deadlineMs: 1000, attemptTimeoutMs: 1000 };
        const transport = createTransport(kms, { userAgent: "test", clock: systemClock });
        await transport.probe(AbortSignal.timeout(20_000)).catch(() => {});
        await transport.close();`;
      const packages = loadedPackages(["--input-type=module-typescript", "--eval", program]);
      assert.equal(packages.has("@google-cloud/kms"), isLoaded);
    });
  }

  test("says with every error what can be done about it", () => {
    /** Where the remedy comes from elsewhere: a later layer, a user's own module, or a warning's text. */
    const exempt = ["core/deadline.ts", "credentials/sources/custom.ts", "credentials/refresh-token-file.ts"];
    const silent = FILES.filter((file) => !exempt.includes(file)).flatMap((file) => {
      const [, ...made] = readFileSync(join(SOURCE, file), "utf8").split("new KeyServiceError(");
      return made
        .map(upToItsEnd)
        .filter((text) => !/remedy|\.\.\./.test(text))
        .map((text) => `${file}: ${text}`);
    });
    assert.deepEqual(silent, []);
  });
});

/** The packages that a program loads. */
function loadedPackages(argv: readonly string[]): ReadonlySet<string> {
  const report = `import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) { process._rawDebug(url); return next(url, context); } });`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(report)}`, ...argv];
  const { stderr, status } = spawnSync(process.execPath, args, { cwd: SOURCE, encoding: "utf8", maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr);
  const packages = stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g);
  return new Set([...packages].flatMap(([, name]) => name ?? []));
}

/** The arguments of a call, of which `text` begins with the first. */
function upToItsEnd(text: string): string {
  let open = 1;
  const end = [...text].findIndex((character) => {
    if (character === "(") open += 1;
    if (character === ")") open -= 1;
    return open === 0;
  });
  return text.slice(0, end);
}
