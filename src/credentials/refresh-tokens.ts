import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { untilAborted } from "../core/deadline.ts";
import { describeCause } from "../core/describe-cause.ts";
import { KeyServiceError } from "../core/errors.ts";
import { RecentMap } from "../core/recent-map.ts";
import type { Secret } from "../core/secret.ts";
import { createRefreshTokenFiles, fingerprint, type ReplacedRefreshToken } from "./refresh-token-file.ts";

/** A credential whose refresh token may be replaced each time that it is used. */
export interface RotatingCredential {
  /** `file /etc/login.json` */
  readonly origin: string;
  readonly clientId: string;
  /** As it stands in the credential. */
  readonly refreshToken: Secret;
}

export interface RotatingAnswer<T> {
  readonly result: T;
  /** What takes the place of the refresh token that was used; undefined where it stays. */
  readonly replacement: Secret | undefined;
}

/**
 * The newest refresh token of each credential, and the one place where they are used: whoever used a replaced one
 * would be refused, and with some servers end the whole login.
 */
export interface RefreshTokens {
  /**
   * Lets `exchange` use the newest refresh token, while nobody else does. It goes on where the signal fires: its answer
   * may bring the only token that works from then on, so `exchange` needs a time limit of its own.
   *
   * @throws KeyServiceError what `exchange` throws, or the signal's reason
   */
  use<T>(
    credential: RotatingCredential,
    exchange: (refreshToken: Secret) => Promise<RotatingAnswer<T>>,
    signal: AbortSignal,
  ): Promise<T>;
}

export interface RefreshTokensOptions {
  /** Undefined: replaced ones are kept in memory alone. */
  readonly stateDirectory: string | undefined;
  readonly warn: (message: string) => void;
}

interface Entry {
  /** The exchange that runs, and those that wait for it; never fails. */
  last: Promise<unknown>;
  /** What is not in a file, for want of a directory or since it could not be written. */
  unsaved: ReplacedRefreshToken | undefined;
}

/** Far more than a config has sources; the one that was not used for longest goes first. */
const MAX_ENTRIES = 10_000;

/**
 * Of this process: a credential is one and the same for two sources that name it, for two scopes, and for the config
 * before and after a reload.
 */
const entries = new RecentMap<string, Entry>(MAX_ENTRIES);

export function createRefreshTokens({ stateDirectory, warn }: RefreshTokensOptions): RefreshTokens {
  const files = stateDirectory === undefined ? undefined : createRefreshTokenFiles(stateDirectory);
  const warnOnce = createWarnOnce(warn);

  const keep = async (key: string, entry: Entry, replaced: ReplacedRefreshToken, origin: string) => {
    entry.unsaved = replaced;
    if (files === undefined) {
      warnOnce(
        `the refresh token in ${origin} was replaced and is kept in memory alone: it is lost at a restart, set stateDirectory in the config`,
      );
      return;
    }
    try {
      await files.write(key, replaced);
      entry.unsaved = undefined;
    } catch (error) {
      warnOnce(`the refresh token that replaced the one in ${origin} could not be written: ${toReason(error)}`);
    }
  };

  const readKept = async (key: string, origin: string): Promise<ReplacedRefreshToken | undefined> => {
    try {
      return await files?.read(key);
    } catch (error) {
      warnOnce(`the refresh token that replaced the one in ${origin} could not be read: ${toReason(error)}`);
      return undefined;
    }
  };

  const exchangeAlone = async <T>(
    key: string,
    entry: Entry,
    { origin, refreshToken }: RotatingCredential,
    exchange: (refreshToken: Secret) => Promise<RotatingAnswer<T>>,
  ): Promise<T> => {
    const original = fingerprint(refreshToken);
    // Read each time: another process may share the directory.
    const kept = entry.unsaved ?? (await readKept(key, origin));
    const used = currentOf(kept, original) ?? refreshToken;
    const attempt = async (token: Secret): Promise<T> => {
      const { result, replacement } = await exchange(token);
      if (replacement !== undefined) await keep(key, entry, { original, current: replacement }, origin);
      return result;
    };
    try {
      return await attempt(used);
    } catch (error) {
      // Another process that shares the directory may have had its token replaced between our reading and our asking.
      const newer = currentOf(await readKept(key, origin), original) ?? used;
      if (isSame(newer, used) || !isRejected(error)) throw error;
      return await attempt(newer);
    }
  };

  return {
    async use(credential, exchange, signal) {
      const key = await keyOf(credential);
      const entry = entryOf(key);
      const mine = entry.last.then(() => {
        // Whoever gave up while others were served has nothing to wait for.
        if (signal.aborted) throw signal.reason;
        return exchangeAlone(key, entry, credential, exchange);
      });
      entry.last = mine.catch(() => {});
      return untilAborted(mine, signal);
    },
  };
}

function entryOf(key: string): Entry {
  const entry = entries.get(key) ?? { last: Promise.resolve(), unsaved: undefined };
  entries.set(key, entry);
  return entry;
}

/** Two paths to one file are one credential. */
async function keyOf({ origin, clientId }: RotatingCredential): Promise<string> {
  const path = /^file (.+)$/.exec(origin)?.[1];
  const place = path === undefined ? origin : await realpath(path).catch(() => path);
  return createHash("sha256").update(`${place}\0${clientId}`).digest("hex").slice(0, 32);
}

/** A credential that was changed since has the only token that counts. */
function currentOf(replaced: ReplacedRefreshToken | undefined, original: string): Secret | undefined {
  return replaced?.original === original ? replaced.current : undefined;
}

function isSame(one: Secret, other: Secret): boolean {
  return one.reveal() === other.reveal();
}

function isRejected(error: unknown): boolean {
  return error instanceof KeyServiceError && error.code === "credential_rejected";
}

function toReason(error: unknown): string {
  return error instanceof KeyServiceError ? error.detail.problem : describeCause(error);
}

function createWarnOnce(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (said.has(message)) return;
    // Few can differ, since they name credentials of the config; the bound is for whoever replaces files for ever.
    if (said.size < 100) said.add(message);
    warn(message);
  };
}
