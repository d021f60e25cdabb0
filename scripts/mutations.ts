import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One property of the code, broken on purpose. */
export interface Mutation {
  /** What no longer holds. */
  readonly broken: string;
  /** In the folder that is mutated. */
  readonly file: string;
  /** Each text stands exactly once in the file and is replaced by the other. */
  readonly edits: readonly (readonly [text: string, replacement: string])[];
}

export interface MutatedCode {
  /** Of the files that are broken. */
  readonly folder: string;
  /** Files and folders that the tests need. */
  readonly copied: readonly string[];
  /** Patterns of the tests that must notice. */
  readonly tests: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Broken code may wait for ever. */
const TEST_TIMEOUT_MS = 30_000;
const SUITE_TIMEOUT_MS = 45_000;

/**
 * Breaks each property on purpose, in a copy, and looks whether the tests notice: a test that cannot fail proves
 * nothing. @returns whether all were noticed
 */
export function noticeAll(code: MutatedCode, mutations: readonly Mutation[]): boolean {
  const copy = mkdtempSync(join(tmpdir(), "mutations-"));
  try {
    for (const path of ["package.json", "src", ...code.copied]) {
      cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    if (!suitePasses(copy, code)) throw new Error("the tests fail without any mutation");
    const unnoticed = mutations.filter((mutation) => !isNoticed(copy, code, mutation));
    const noticed = mutations.length - unnoticed.length;
    process.stdout.write(`${noticed} of ${mutations.length} mutations are noticed\n`);
    return unnoticed.length === 0;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function isNoticed(copy: string, code: MutatedCode, { broken, file, edits }: Mutation): boolean {
  const path = join(copy, code.folder, file);
  const original = readFileSync(path, "utf8");
  writeFileSync(path, edits.reduce(replaceOnce, original));
  const noticed = !suitePasses(copy, code);
  writeFileSync(path, original);
  process.stdout.write(`${noticed ? "noticed  " : "UNNOTICED"} ${broken}\n`);
  return noticed;
}

function replaceOnce(source: string, [text, replacement]: readonly [string, string]): string {
  const parts = source.split(text);
  if (parts.length !== 2) throw new Error(`this stands ${parts.length - 1} times in the source:\n${text}`);
  return parts.join(replacement);
}

function suitePasses(copy: string, { tests, variables = {} }: MutatedCode): boolean {
  const args = [
    "--test",
    "--test-isolation=none",
    "--test-reporter=dot",
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...tests,
  ];
  const env = { ...process.env, METADATA_SERVER_DETECTION: "none", ...variables };
  // One process, and a signal that it cannot ignore: what loops for ever must not outlive its turn.
  const options = { cwd: copy, env, timeout: SUITE_TIMEOUT_MS, killSignal: "SIGKILL", stdio: "ignore" } as const;
  return spawnSync(process.execPath, args, options).status === 0;
}
