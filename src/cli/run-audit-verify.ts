import { readFileSync } from "node:fs";
import { styleText } from "node:util";
import { systemFileSystem } from "../audit/file-system.ts";
import type { LogFiles } from "../audit/log-files.ts";
import { fingerprintOfKey, parsePublicKey } from "../audit/signing-key.ts";
import { type Verification, type VerifyOptions, verifyLog } from "../audit/verify.ts";
import { describeReadError } from "../config/load.ts";
import { toPrintableLine } from "../core/errors.ts";
import type { VerifyCommandOptions } from "./audit.ts";
import { asUsage, chooseLogFiles } from "./audit-files.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";

export async function runAuditVerify(given: readonly string[], options: VerifyCommandOptions): Promise<void> {
  const publicKeys = (options.publicKey ?? []).map(readPublicKey);
  const expectedHead = options.expectHead;
  if (expectedHead !== undefined && !/^[0-9a-f]{64}$/.test(expectedHead)) {
    throw usage("audit verify --expect-head: expected the 64 hex digits of a record's hash");
  }
  const verification = await verify(given, options, { publicKeys, expectedHead });
  process.stdout.write(
    options.json === true ? `${JSON.stringify(verification, undefined, 2)}\n` : render(verification),
  );
  if (!verification.ok) process.exitCode = EXIT_FAILED;
}

/** A log that is rotated while it is read is read again: its files have other names now. */
const MAX_READINGS = 3;

async function verify(
  given: readonly string[],
  { config }: VerifyCommandOptions,
  options: VerifyOptions,
): Promise<Verification> {
  let files = await chooseLogFiles(given, config);
  for (let reading = 1; ; reading += 1) {
    const verification = await asUsage(verifyLog(systemFileSystem, files, options), files.paths.join(", "));
    const after = await chooseLogFiles(given, config);
    if (reading === MAX_READINGS || isSame(files, after)) return verification;
    files = after;
  }
}

function isSame(one: LogFiles, other: LogFiles): boolean {
  return one.paths.join("\n") === other.paths.join("\n");
}

function readPublicKey(path: string): string {
  try {
    const key = parsePublicKey(readFileSync(path, "utf8"));
    if (key !== undefined) return key;
  } catch (thrown) {
    throw usage(`audit verify --public-key ${path}: ${describeReadError(thrown)}`);
  }
  throw usage(`audit verify --public-key ${path}: is not a public key in PEM`);
}

function usage(message: string): CommandError {
  return new CommandError(message, { exitCode: EXIT_USAGE });
}

function render(verification: Verification): string {
  const { problems, problemCount } = verification;
  const lines = [
    ...problems.map(({ file, line, problem }) => `${colour("red", `${file}:${line}`)}: ${toPrintableLine(problem)}`),
    ...(problemCount > problems.length ? [`and ${problemCount - problems.length} more`] : []),
    renderSum(verification),
    ...renderNotes(verification).map((note) => `${colour("yellow", "note")}: ${toPrintableLine(note)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function renderSum({ ok, files, records, checkpoints, first, last }: Verification): string {
  const range = first === null || last === null ? "" : ` (${first.seq} to ${last.seq})`;
  const what = `${records} records${range} in ${files} file${files === 1 ? "" : "s"}, ${checkpoints} signed checkpoint${checkpoints === 1 ? "" : "s"}`;
  return ok ? `${colour("green", "verified")}: ${what}` : `${colour("red", "not as it was written")}: ${what}`;
}

function renderNotes({ checkpoints, unsigned, keysGiven, publicKeys, last, notes }: Verification): readonly string[] {
  const shown = publicKeys.map(fingerprintOfKey).join(", ");
  return [
    ...notes,
    ...(unsigned > 0
      ? [`the last ${unsigned} records are not signed yet; whoever can write the file could change them`]
      : []),
    ...(keysGiven || checkpoints === 0
      ? []
      : [`the signatures fit the key that the log itself names, ${shown}; give yours as --public-key`]),
    ...(last === null ? [] : [`hash of the last record, for --expect-head: ${last.hash}`]),
  ];
}

function colour(name: "red" | "green" | "yellow", text: string): string {
  return styleText(name, text, { stream: process.stdout });
}
