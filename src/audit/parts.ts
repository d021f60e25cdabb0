import type { AuditConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type AuditLog, openFileLog } from "./file-log.ts";
import { lockPath } from "./file-names.ts";
import { codeOf, systemFileSystem } from "./file-system.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { AuditOpenError } from "./open-error.ts";
import { openSigningKey, type SigningKey } from "./signing-key.ts";
import type { Sink } from "./sink.ts";
import { openSinks } from "./sinks.ts";
import { openStreamLog } from "./stream-log.ts";

export interface AuditSurroundings {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** Told of what keeps calls from being answered. */
  readonly error: (message: string) => void;
  readonly info: (message: string) => void;
  /** Of sops-keyd. */
  readonly version: string;
}

/** What an audit section needs while it is in force. */
export interface AuditParts {
  readonly config: AuditConfig;
  readonly key: SigningKey;
  readonly lock: Lock | undefined;
  readonly sinks: readonly Sink[];
}

/**
 * @param before what is in force: the lock on the same file is taken over
 * @throws AuditOpenError
 */
export async function openParts(
  config: AuditConfig,
  before: AuditParts | undefined,
  surroundings: AuditSurroundings,
): Promise<AuditParts> {
  const lock = await lockFor(config, before);
  try {
    const key = openSigningKey(config.signingKey);
    if (key.created) {
      surroundings.info(
        `made the audit log's signing key ${config.signingKey}; its public half is ${config.signingKey}.pub`,
      );
    }
    return { config, key, lock, sinks: await openSinks(config, surroundings) };
  } catch (thrown) {
    if (lock !== before?.lock) await lock?.release();
    throw thrown;
  }
}

async function lockFor({ file }: AuditConfig, before: AuditParts | undefined): Promise<Lock | undefined> {
  if (file === undefined) return undefined;
  if (before?.config.file === file) return before.lock;
  return await acquireLock(lockPath(file), file);
}

/** @param kept whose lock stays */
export async function closeParts(old: AuditParts | undefined, kept: AuditParts | undefined): Promise<void> {
  if (old === undefined) return;
  if (old.lock !== kept?.lock) await old.lock?.release();
  await Promise.all(old.sinks.map((sink) => sink.close()));
}

/** @throws AuditOpenError */
export async function openLog({ config, key }: AuditParts, { clock, warn }: AuditSurroundings): Promise<AuditLog> {
  const { checkpoint, rotate, file } = config;
  if (file === undefined) return openStreamLog({ stream: process.stdout, checkpoint, key, clock });
  const { sizeBytes, keep } = rotate;
  const options = { path: file, maxFileBytes: sizeBytes, keep, checkpoint, key, clock, fs: systemFileSystem, warn };
  return await openFileLog(options).catch((thrown: unknown) => {
    throw new AuditOpenError(`the audit log ${file} cannot be opened: ${codeOf(thrown)}`, { cause: thrown });
  });
}
