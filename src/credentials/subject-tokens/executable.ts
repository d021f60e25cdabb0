import { KeyServiceError } from "../../core/errors.ts";
import type { CredentialFields } from "../credential-document.ts";
import type { SourceContext } from "../source-context.ts";
import { parseExecutableResponse } from "./executable-response.ts";
import { readNamedFile } from "./read-file.ts";
import { runExecutable } from "./run-executable.ts";
import { type GetSubjectToken, type SubjectToken, type SubjectTokenPurpose, toSubjectToken } from "./subject-token.ts";

interface Executable {
  readonly command: readonly [string, ...string[]];
  readonly timeoutMs: number;
  readonly outputFile: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MIN_TIMEOUT_MS = 5000;
const MAX_TIMEOUT_MS = 120_000;
/** Below the ten seconds that a refresh has, so that the error can name the executable. */
const LONGEST_RUN_MS = 9000;
const PREFIX = "GOOGLE_EXTERNAL_ACCOUNT";

/**
 * A program that prints subject tokens. It runs only where the config allows it: else whoever can write a credential
 * file could run anything as the user of this process.
 * https://google.aip.dev/auth/4117
 */
export function parseExecutableOrigin(origin: CredentialFields, allowExecutable: boolean): GetSubjectToken {
  const fields = origin.optionalFields("executable");
  if (fields === undefined) throw origin.fault("executable", "is missing");
  if (!allowExecutable) throw notAllowed(origin.origin);
  const executable = parseExecutable(fields);
  return async (purpose, context, signal) => {
    const held = await readHeld(executable, purpose, context);
    if (held !== undefined) return held;
    const where = `executable ${executable.command[0]}`;
    const output = await runExecutable(
      {
        command: executable.command,
        environment: createEnvironment(executable, purpose, context),
        timeoutMs: Math.min(executable.timeoutMs, LONGEST_RUN_MS),
        clock: context.clock,
      },
      signal,
    );
    return toToken(output, where, executable, purpose, context);
  };
}

function parseExecutable(fields: CredentialFields): Executable {
  const timeoutMs = fields.optionalCount("timeout_millis") ?? DEFAULT_TIMEOUT_MS;
  if (timeoutMs < MIN_TIMEOUT_MS || timeoutMs > MAX_TIMEOUT_MS) {
    throw fields.fault("timeout_millis", `is not between ${MIN_TIMEOUT_MS} and ${MAX_TIMEOUT_MS}`);
  }
  const [path, ...args] = splitCommand(fields.text("command"));
  // A name alone would be looked for along PATH, and found wherever somebody put it.
  if (path?.startsWith("/") !== true) throw fields.fault("command", "does not begin with an absolute path");
  return { command: [path, ...args], timeoutMs, outputFile: fields.optionalText("output_file") };
}

/** Words between spaces; double quotes hold one together. As in Google's libraries, there is no escape. */
function splitCommand(command: string): string[] {
  const words = command.match(/(?:[^\s"]+|"[^"]*")+/g) ?? [];
  return words.map((word) => (/^"[^"]*"$/.test(word) ? word.slice(1, -1) : word));
}

/** The token that an earlier run left for later ones, while it is good. Anything else there is reason to run again. */
async function readHeld(
  executable: Executable,
  purpose: SubjectTokenPurpose,
  context: SourceContext,
): Promise<SubjectToken | undefined> {
  if (executable.outputFile === undefined) return undefined;
  try {
    const text = await readNamedFile(executable.outputFile, "output file", context);
    return toToken(text, `output file ${executable.outputFile}`, executable, purpose, context);
  } catch {
    return undefined;
  }
}

function toToken(
  output: string,
  where: string,
  { outputFile }: Executable,
  { tokenType }: SubjectTokenPurpose,
  { clock }: SourceContext,
): SubjectToken {
  const needsExpiry = outputFile !== undefined;
  const token = parseExecutableResponse(output, { where, tokenType, needsExpiry, nowMs: clock.nowMs() });
  return toSubjectToken(token, tokenType, where);
}

function createEnvironment(
  { outputFile }: Executable,
  { audience, tokenType, impersonated }: SubjectTokenPurpose,
  { environment }: SourceContext,
): Readonly<Record<string, string>> {
  const variables = {
    PATH: environment.get("PATH"),
    HOME: environment.get("HOME"),
    [`${PREFIX}_AUDIENCE`]: audience,
    [`${PREFIX}_TOKEN_TYPE`]: tokenType,
    [`${PREFIX}_INTERACTIVE`]: "0",
    [`${PREFIX}_IMPERSONATED_EMAIL`]: impersonated,
    [`${PREFIX}_OUTPUT_FILE`]: outputFile,
  };
  const isSet = (entry: [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
  return Object.fromEntries(Object.entries(variables).filter(isSet));
}

function notAllowed(origin: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem: `the credential in ${origin} wants to run an executable, and this token source may not`,
    remedy: "if you trust the file, set allowExecutable: true on a token source of type external_account",
  });
}
