import type { JwtCallerConfig } from "../../config/jwt-caller.ts";
import type { Clock } from "../../core/clock.ts";
import { RecentMap } from "../../core/recent-map.ts";
import { createKeySet, type KeySet, type LoadKeys } from "./key-set.ts";
import { createDiscoveryLoader, createFileLoader, type GetDocument } from "./load-keys.ts";

/**
 * The keys of every issuer, by issuer and place. Of the process rather than of a config: a reload must not have to ask
 * the issuers anew, who may be down just then.
 */
export interface IssuerKeys {
  /**
   * The same object for the same issuer and place.
   *
   * @param createGet what loads from now on; its CAs may have changed with the config
   * @param warn for what an operator should know and no call fails of
   */
  keysOf(config: JwtCallerConfig, createGet: CreateGet, warn: (message: string) => void): KeySet;
}

/** @param caFile PEM file with CAs that are trusted besides Node.js' own */
export type CreateGet = (caFile: string | undefined) => GetDocument;

interface Entry {
  readonly keys: KeySet;
  load: LoadKeys;
  warn: (message: string) => void;
}

/** More issuers than any config has; what former configs left behind goes first. */
const MAX_ISSUERS = 1_000;
/** The rhythm of an issuer's keys, and of a file, which costs nothing to read. */
const DISCOVERY_TIMES = { freshMs: 10 * 60_000, coolDownMs: 30_000, serveStale: true };
const FILE_TIMES = { freshMs: 1_000, coolDownMs: 1_000, serveStale: false };

export function createIssuerKeys(clock: Clock): IssuerKeys {
  const entries = new RecentMap<string, Entry>(MAX_ISSUERS);
  return {
    keysOf({ issuer, keys }, createGet, warn) {
      const place = JSON.stringify([issuer, keys]);
      const load =
        keys.kind === "file"
          ? createFileLoader(keys.path)
          : createDiscoveryLoader(issuer, keys.tokenFile, createGet(keys.caFile));
      const known = entries.get(place);
      const entry =
        known ?? createEntry(`issuer ${issuer}`, keys.kind === "file" ? FILE_TIMES : DISCOVERY_TIMES, clock);
      Object.assign(entry, { load, warn });
      entries.set(place, entry);
      return entry.keys;
    },
  };
}

function createEntry(name: string, times: typeof DISCOVERY_TIMES, clock: Clock): Entry {
  const entry: Omit<Entry, "keys"> = { load: () => Promise.reject(new TypeError("no loader yet")), warn() {} };
  const keys = createKeySet({
    ...times,
    name,
    clock,
    load: (signal) => entry.load(signal),
    warn: (message) => entry.warn(message),
  });
  return Object.assign(entry, { keys });
}
