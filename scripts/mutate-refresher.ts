import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Mutation, REFRESHER_MUTATIONS } from "../test/mutation/refresher-mutations.ts";

// Breaks each property of the refresher on purpose, in a copy, and asserts that its tests notice: a test that cannot
// fail proves nothing. Part of `npm run test:long`.
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COPIED = ["package.json", "src", "test/fakes", "test/property/credentials", "test/unit/credentials"];
const SUITE = ["test/property/credentials/refreshing*.test.ts", "test/unit/credentials/refresh*.test.ts"];
/** A broken refresher may wait for ever. */
const TEST_TIMEOUT_MS = 30_000;
const SUITE_TIMEOUT_MS = 45_000;

function main(): number {
  const copy = mkdtempSync(join(tmpdir(), "refresher-mutations-"));
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    if (!suitePasses(copy)) throw new Error("the tests fail without any mutation");
    const unnoticed = REFRESHER_MUTATIONS.filter((mutation) => !isNoticed(copy, mutation));
    const noticed = REFRESHER_MUTATIONS.length - unnoticed.length;
    process.stdout.write(`${noticed} of ${REFRESHER_MUTATIONS.length} mutations are noticed\n`);
    return unnoticed.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function isNoticed(copy: string, { broken, file, edits }: Mutation): boolean {
  const path = join(copy, "src/credentials", file);
  const original = readFileSync(path, "utf8");
  writeFileSync(path, edits.reduce(replaceOnce, original));
  const noticed = !suitePasses(copy);
  writeFileSync(path, original);
  process.stdout.write(`${noticed ? "noticed  " : "UNNOTICED"} ${broken}\n`);
  return noticed;
}

function replaceOnce(source: string, [text, replacement]: readonly [string, string]): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`this stands ${parts.length - 1} times in the source:\n${text}`);
  return parts.join(replacement);
}

function suitePasses(copy: string): boolean {
  const args = [
    "--test",
    "--test-isolation=none",
    "--test-reporter=dot",
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...SUITE,
  ];
  const env = { ...process.env, METADATA_SERVER_DETECTION: "none", SHRINK: "no" };
  // One process, and a signal that it cannot ignore: what loops for ever must not outlive its turn.
  const options = { cwd: copy, env, timeout: SUITE_TIMEOUT_MS, killSignal: "SIGKILL", stdio: "ignore" } as const;
  return spawnSync(process.execPath, args, options).status === 0;
}

process.exitCode = main();
