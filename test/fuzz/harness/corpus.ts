import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CORPUS = fileURLToPath(new URL("../corpus", import.meta.url));

/** The inputs that are kept for a target, by name of file. */
export function readCorpus(target: string): readonly Buffer[] {
  return namesIn(target).map((name) => readFileSync(join(CORPUS, target, name)));
}

function namesIn(target: string): readonly string[] {
  try {
    return readdirSync(join(CORPUS, target)).toSorted();
  } catch {
    return [];
  }
}

/** Keeps an input for all runs to come. @returns the file */
export function keepInput(target: string, input: Uint8Array, why: "new" | "find"): string {
  const name = `${why}-${createHash("sha256").update(input).digest("hex").slice(0, 12)}`;
  mkdirSync(join(CORPUS, target), { recursive: true });
  writeFileSync(join(CORPUS, target, name), input);
  return join("test/fuzz/corpus", target, name);
}
