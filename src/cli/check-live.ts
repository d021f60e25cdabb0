import { randomBytes } from "node:crypto";
import { findOrigin } from "../access/origin.ts";
import { type Assembly, assemble } from "../assembly.ts";
import type { Config } from "../config/config.ts";
import { systemClock } from "../core/clock.ts";
import { createDeadline } from "../core/deadline.ts";
import { KeyServiceError, toKeyServiceError, toPrintableLine } from "../core/errors.ts";
import { inForeground } from "./foreground.ts";
import { describeFailure, describeToken, type FailureFacts, getTokenWithin, type TokenFacts } from "./live-token.ts";
import { processSurroundings } from "./surroundings.ts";

/**
 * What came of asking one source. `passed_over`: it has no credential to offer, and every rule that names it goes on
 * to one that has, so that nothing fails of it; or its tokens are its callers' own, of whom none is here.
 */
export type LiveSource = { readonly source: string } & (
  | ({ readonly status: "ok" } & TokenFacts)
  | { readonly status: "passed_over" | "failed"; readonly error: FailureFacts }
);

/** What came of encrypting random bytes and decrypting them again. */
export type LiveRoundTrip = { readonly key: string } & (
  | { readonly ok: true; readonly rule: string; readonly principal: string | null; readonly keyVersion: string | null }
  | { readonly ok: false; readonly error: FailureFacts }
);

export interface LiveReport {
  readonly ok: boolean;
  readonly sources: readonly LiveSource[];
  /** Undefined where no key was named. */
  readonly roundTrip: LiveRoundTrip | undefined;
}

export interface LiveOptions {
  readonly key: string | undefined;
  /** By the name that a listener gives its callers. */
  readonly caller: string | undefined;
  /** For each token, and for each half of the round trip. */
  readonly timeoutMs: number;
  readonly warn: (message: string) => void;
}

/** More at a time would look like an attack to some token endpoints, and like a flood to a metadata server. */
const SOURCES_AT_A_TIME = 8;
/** What sops has Cloud KMS encrypt: a data key of 32 bytes. */
const DATA_KEY_BYTES = 32;

/** Asks every token source of the config, and Cloud KMS where a key is named, by the server's own way. */
export async function checkLive(config: Config, options: LiveOptions): Promise<LiveReport> {
  const { timeoutMs, warn } = options;
  const surroundings = processSurroundings((message) => warn(toPrintableLine(message)));
  const assembly = assemble(config, surroundings, { timeoutMs });
  try {
    return await inForeground(askAll(config, assembly, options));
  } finally {
    await assembly.close();
  }
}

async function askAll(config: Config, assembly: Assembly, options: LiveOptions): Promise<LiveReport> {
  const asked = await askSources(config, assembly, options.timeoutMs);
  const sources = asked.map((each) => forgive(each, asked, config));
  const roundTrip = options.key === undefined ? undefined : await makeRoundTrip(config, assembly, options.key, options);
  const ok = sources.every(({ status }) => status !== "failed") && roundTrip?.ok !== false;
  return { ok, sources, roundTrip };
}

/** In the order of the config, some at a time. */
async function askSources(config: Config, assembly: Assembly, timeoutMs: number): Promise<readonly LiveSource[]> {
  const names = [...config.tokenSources.keys()];
  const results = new Map<string, LiveSource>();
  const waiting = names.values();
  const worker = async () => {
    for (const name of waiting) results.set(name, await askSource(assembly, name, timeoutMs));
  };
  await Promise.all(Array.from({ length: SOURCES_AT_A_TIME }, worker));
  return names.flatMap((name) => results.get(name) ?? []);
}

async function askSource(assembly: Assembly, source: string, timeoutMs: number): Promise<LiveSource> {
  const holder = assembly.tokenSources.holderFor([source]);
  try {
    const token = await getTokenWithin(holder, timeoutMs, systemClock);
    return { source, status: "ok", ...describeToken(token, systemClock.nowMs()) };
  } catch (thrown) {
    // What callers bring can only be exchanged when they bring it.
    const status = holder.forCaller === undefined ? "failed" : "passed_over";
    return { source, status, error: describeFailure(toKeyServiceError(thrown)) };
  }
}

/** Takes back the failure of a source whose chains do without it. */
function forgive(source: LiveSource, all: readonly LiveSource[], config: Config): LiveSource {
  if (source.status === "ok" || source.error.code !== "credential_missing") return source;
  const name = source.source;
  const working = new Set(all.filter(({ status }) => status === "ok").map((each) => each.source));
  const rules = config.rules.filter(({ tokenSource }) => tokenSource.includes(name));
  const isBase = [...config.tokenSources.values()].some((each) => "source" in each && each.source === name);
  const doWithout = rules.length > 0 && !isBase && rules.every((rule) => rule.tokenSource.some((n) => working.has(n)));
  return doWithout ? { ...source, status: "passed_over" } : source;
}

async function makeRoundTrip(
  config: Config,
  { gcpKms }: Assembly,
  key: string,
  { caller: name, timeoutMs }: LiveOptions,
): Promise<LiveRoundTrip> {
  const { caller, isLocal: listenerIsLocal } = findOrigin(config, name);
  const gcpKey = { type: "gcp_kms", resourceId: key } as const;
  const dataKey = randomBytes(DATA_KEY_BYTES);
  using deadline = createDeadline(systemClock, 2 * timeoutMs, `the round trip took longer than ${timeoutMs / 500} s`);
  const context = { caller, listenerIsLocal, signal: deadline.signal };
  try {
    const encrypted = await gcpKms.encrypt(gcpKey, dataKey, context);
    const decrypted = await gcpKms.decrypt(gcpKey, encrypted.bytes, context);
    if (!decrypted.bytes.equals(dataKey)) throw notTheSame();
    const { rule, principal = null, keyVersion = null } = encrypted;
    return { key, ok: true, rule, principal, keyVersion };
  } catch (thrown) {
    return { key, ok: false, error: describeFailure(toKeyServiceError(thrown)) };
  }
}

function notTheSame(): KeyServiceError {
  return new KeyServiceError("integrity_failed", {
    problem: "decrypting gave other bytes than were encrypted",
    remedy: "do not use this key until you know why: files encrypted with it may be lost",
  });
}
