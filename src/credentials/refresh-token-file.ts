import { createHash, randomBytes } from "node:crypto";
import { constants, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeyServiceError } from "../core/errors.ts";
import { parseJsonObject } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { createCredentialReader } from "./credential-file.ts";

/** A refresh token that took the place of the one in a credential. */
export interface ReplacedRefreshToken {
  /** {@link fingerprint} of the credential's own: a credential that was replaced meanwhile wins. */
  readonly original: string;
  readonly current: Secret;
}

/** One way, so that it may be written down: it tells whether two refresh tokens are the same, and no more. */
export function fingerprint(refreshToken: Secret): string {
  return createHash("sha256").update(refreshToken.reveal()).digest("hex");
}

/** Keeps replaced refresh tokens over restarts, a file for each credential. */
export interface RefreshTokenFiles {
  /** Undefined where there is none. @throws KeyServiceError where there is one that cannot be used */
  read(key: string): Promise<ReplacedRefreshToken | undefined>;
  /** @throws Error of the file system, or KeyServiceError where the directory is not private */
  write(key: string, token: ReplacedRefreshToken): Promise<void>;
}

/** @param directory made where it is missing, for its owner alone; absolute */
export function createRefreshTokenFiles(directory: string): RefreshTokenFiles {
  const pathOf = (key: string) => join(directory, `refresh-token-${key}.json`);
  return {
    async read(key) {
      const text = await readState(pathOf(key));
      if (text === undefined) return undefined;
      const fields = parseJsonObject(text) ?? {};
      const { original, current } = fields;
      if (fields["version"] === 1 && typeof original === "string" && typeof current === "string" && current !== "") {
        return { original, current: new Secret(current) };
      }
      throw new KeyServiceError("credential_rejected", {
        problem: `${pathOf(key)} is damaged`,
        remedy: "remove it: the credential file's own refresh token is used then, or log in again",
      });
    },
    async write(key, { original, current }) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await mustBePrivate(directory);
      const temporary = `${pathOf(key)}.${randomBytes(6).toString("hex")}`;
      try {
        await writeDurably(temporary, JSON.stringify({ version: 1, original, current: current.reveal() }));
        await rename(temporary, pathOf(key));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
  };
}

async function readState(path: string): Promise<string | undefined> {
  try {
    const read = createCredentialReader({ kind: "file", path }, { get: () => undefined }, () => {});
    return (await read()).text;
  } catch (error) {
    if (error instanceof KeyServiceError && error.code === "credential_missing") return undefined;
    throw error;
  }
}

/** Flushed before it takes the old one's place: after a power cut there is a whole one, this or that. */
async function writeDurably(path: string, text: string): Promise<void> {
  // Not by a sync of its own, which Node's permission model refuses.
  await using file = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_SYNC,
    0o600,
  );
  await file.writeFile(text);
}

async function mustBePrivate(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & 0o077) === 0) return;
  throw new KeyServiceError("credential_rejected", {
    problem: `others can open ${directory} (mode ${(mode & 0o777).toString(8)}): chmod it to 0700`,
  });
}
