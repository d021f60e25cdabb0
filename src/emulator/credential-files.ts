import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EmulatorStartError } from "./start-error.ts";

/** Absolute paths. The files are readable by their owner alone. */
export interface EmulatorCredentialFiles {
  readonly directory: string;
  readonly serviceAccount: string;
  /** Another service account, for a second identity. */
  readonly secondServiceAccount: string;
  readonly authorizedUser: string;
  /** Over the first service account's key. */
  readonly impersonatedServiceAccount: string;
  /** Over the user, as `gcloud auth application-default login --impersonate-service-account` writes it. */
  readonly impersonatedByUser: string;
  readonly externalAccount: string;
  /** With impersonation of the target account on top. */
  readonly externalAccountImpersonating: string;
  /** Its refresh token is good for one use; the answer brings the next. */
  readonly externalAccountAuthorizedUser: string;
  readonly gdchServiceAccount: string;
  /** With subject tokens from the emulator's own URL, which wants a header. */
  readonly externalAccountUrl: string;
  /** With subject tokens from a command that prints `executableResponse`. */
  readonly externalAccountExecutable: string;
  /** With the emulator's AWS metadata service (IMDSv2). */
  readonly externalAccountAws: string;
  readonly executableResponse: string;
  readonly subjectToken: string;
  readonly accessToken: string;
}

type FileName = Exclude<keyof EmulatorCredentialFiles, "directory">;

const NAMES: Readonly<Record<FileName, string>> = {
  serviceAccount: "service-account.json",
  secondServiceAccount: "second-service-account.json",
  authorizedUser: "authorized-user.json",
  impersonatedServiceAccount: "impersonated-service-account.json",
  impersonatedByUser: "impersonated-by-user.json",
  externalAccount: "external-account.json",
  externalAccountImpersonating: "external-account-impersonating.json",
  externalAccountAuthorizedUser: "external-account-authorized-user.json",
  gdchServiceAccount: "gdch-service-account.json",
  externalAccountUrl: "external-account-url.json",
  externalAccountExecutable: "external-account-executable.json",
  externalAccountAws: "external-account-aws.json",
  executableResponse: "executable-response.json",
  subjectToken: "subject-token.jwt",
  accessToken: "access-token.txt",
};

/** A write that had begun may finish while its directory is removed. */
const MAX_REMOVALS = 5;

/** Says that what lies in a directory is ours to overwrite. */
const MARKER = "EMULATOR-CREDENTIALS";
const MARKER_TEXT =
  "Credentials of the sops-keyd emulator. They are good for nothing else, and are rewritten at each start.\n";

export interface CredentialDirectory {
  readonly files: EmulatorCredentialFiles;
  /** JSON, or text as it is; by rename, so that nobody reads half a file. */
  write(file: FileName, content: object | string): Promise<void>;
  /** Removes what was made for this run alone. */
  dispose(): Promise<void>;
}

/**
 * The given directory, or a fresh private one that lives as long as the emulator.
 *
 * @throws EmulatorStartError where the directory holds files that the emulator did not write: somebody's real
 * credentials may well have the same names.
 */
export async function openCredentialDirectory(wanted: string | undefined): Promise<CredentialDirectory> {
  const directory = wanted === undefined ? await mkdtemp(join(tmpdir(), "sops-keyd-emulator-")) : resolve(wanted);
  if (wanted !== undefined) await claim(directory);
  const path = (name: string) => join(directory, name);
  const files = Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, path(name)]));
  await writeFile(path(MARKER), MARKER_TEXT, { mode: 0o600 });
  return {
    files: { directory, ...(files as Record<FileName, string>) },
    async write(file, content) {
      const text = typeof content === "string" ? content : `${JSON.stringify(content, undefined, 2)}\n`;
      const temporary = path(`.${NAMES[file]}.${randomBytes(6).toString("hex")}`);
      await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
      await rename(temporary, path(NAMES[file]));
    },
    async dispose() {
      if (wanted === undefined) await rm(directory, { recursive: true, force: true, maxRetries: MAX_REMOVALS });
    },
  };
}

async function claim(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const present = await readdir(directory);
  if (present.length > 0 && !present.includes(MARKER)) {
    throw new EmulatorStartError(
      `${directory} holds files that the emulator did not write: name an empty directory for its credential files`,
    );
  }
  await chmod(directory, 0o700);
}
