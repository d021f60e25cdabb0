import type { Clock } from "../core/clock.ts";
import { createMaterial } from "./key-cipher.ts";
import { type CryptoKey, type KeyRing, type KeyState, type KeyVersion, ringNameOf, versionName } from "./key-state.ts";
import { googleRefusal, type Refusal } from "./refusals.ts";

const MAX_KEYS_AND_RINGS = 10_000;
const MAX_VERSIONS = 1000;
// Google's default; a key may have another there, here it may not.
const DESTROY_AFTER_MS = 30 * 24 * 60 * 60 * 1000;

export interface KeyStoreOptions {
  readonly clock: Clock;
  /** Nothing is made on first use. */
  readonly strict: boolean;
  readonly state: KeyState;
  /** Called after each change; a request is answered only once it has resolved. */
  readonly save: () => Promise<void>;
}

/** Key rings, keys and versions, with Cloud KMS' rules. Methods throw a Refusal in Google's words. */
export interface KeyStore {
  createRing(name: string): Promise<KeyRing>;
  ring(name: string): Promise<KeyRing>;
  rings(location: string): readonly KeyRing[];
  createKey(name: string, options: NewKeyOptions): Promise<CryptoKey>;
  key(name: string): Promise<CryptoKey>;
  keys(ring: string): readonly CryptoKey[];
  createVersion(key: CryptoKey): Promise<KeyVersion>;
  version(key: CryptoKey, number: number): KeyVersion;
  setPrimary(key: CryptoKey, number: number): Promise<void>;
  setEnabled(key: CryptoKey, version: KeyVersion, enabled: boolean): Promise<void>;
  destroy(key: CryptoKey, version: KeyVersion): Promise<void>;
  restore(key: CryptoKey, version: KeyVersion): Promise<void>;
}

export interface NewKeyOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly skipInitialVersion?: boolean;
}

export function createKeyStore({ clock, strict, state, save }: KeyStoreOptions): KeyStore {
  const addRing = (name: string): KeyRing => {
    const ring = { name, createTimeMs: clock.nowMs() };
    checkRoom(state.rings.size, MAX_KEYS_AND_RINGS);
    state.rings.set(name, ring);
    return ring;
  };

  const addVersion = (key: CryptoKey): KeyVersion => {
    checkRoom(key.versions.length, MAX_VERSIONS);
    const version: KeyVersion = {
      number: key.versions.length + 1,
      createTimeMs: clock.nowMs(),
      state: "ENABLED",
      destroyTimeMs: undefined,
      ...createMaterial(),
    };
    key.versions.push(version);
    return version;
  };

  const addKey = (name: string, options: NewKeyOptions): CryptoKey => {
    checkRoom(state.keys.size, MAX_KEYS_AND_RINGS);
    const { labels = {}, skipInitialVersion = false } = options;
    const key: CryptoKey = { name, createTimeMs: clock.nowMs(), labels, primary: undefined, versions: [] };
    if (!skipInitialVersion) key.primary = addVersion(key).number;
    state.keys.set(name, key);
    return key;
  };

  const ring = async (name: string): Promise<KeyRing> => {
    const known = state.rings.get(name);
    if (known !== undefined) return known;
    if (strict) throw notFound("KeyRing", name);
    const made = addRing(name);
    await save();
    return made;
  };

  return {
    ring,
    async createRing(name) {
      if (state.rings.has(name)) throw googleRefusal("ALREADY_EXISTS", `KeyRing ${name} already exists.`);
      const made = addRing(name);
      await save();
      return made;
    },
    rings: (location) => childrenOf(state.rings, `${location}/keyRings/`),
    async createKey(name, options) {
      await ring(ringNameOf(name));
      if (state.keys.has(name)) throw googleRefusal("ALREADY_EXISTS", `CryptoKey ${name} already exists.`);
      const made = addKey(name, options);
      await save();
      return made;
    },
    async key(name) {
      const known = state.keys.get(name);
      if (known !== undefined) return settled(known, clock.nowMs());
      if (strict) throw notFound("CryptoKey", name);
      if (!state.rings.has(ringNameOf(name))) addRing(ringNameOf(name));
      const made = addKey(name, {});
      await save();
      return made;
    },
    keys: (parent) => childrenOf(state.keys, `${parent}/cryptoKeys/`).map((key) => settled(key, clock.nowMs())),
    async createVersion(key) {
      const version = addVersion(key);
      await save();
      return version;
    },
    version: findVersion,
    async setPrimary(key, number) {
      const version = findVersion(key, number);
      requireState(key, version, "ENABLED");
      key.primary = version.number;
      await save();
    },
    async setEnabled(key, version, enabled) {
      requireState(key, version, "ENABLED", "DISABLED");
      version.state = enabled ? "ENABLED" : "DISABLED";
      await save();
    },
    async destroy(key, version) {
      requireState(key, version, "ENABLED", "DISABLED");
      version.state = "DESTROY_SCHEDULED";
      version.destroyTimeMs = clock.nowMs() + DESTROY_AFTER_MS;
      await save();
    },
    async restore(key, version) {
      requireState(key, version, "DESTROY_SCHEDULED");
      version.state = "DISABLED";
      version.destroyTimeMs = undefined;
      await save();
    },
  };
}

/** @throws Refusal 400 FAILED_PRECONDITION */
export function requireState(key: CryptoKey, version: KeyVersion, ...states: readonly KeyVersion["state"][]): void {
  if (states.includes(version.state)) return;
  const wanted = states.includes("ENABLED") ? "enabled" : states.join(" or ");
  throw googleRefusal(
    "FAILED_PRECONDITION",
    `${versionName(key, version)} is not ${wanted}, current state is: ${version.state}.`,
  );
}

function findVersion(key: CryptoKey, number: number): KeyVersion {
  const version = key.versions[number - 1];
  if (version === undefined) throw notFound("CryptoKeyVersion", `${key.name}/cryptoKeyVersions/${number}`);
  return version;
}

/** Versions whose time has come are destroyed when somebody looks: nobody can tell the difference. */
function settled(key: CryptoKey, nowMs: number): CryptoKey {
  for (const version of key.versions) {
    if (version.state !== "DESTROY_SCHEDULED" || (version.destroyTimeMs ?? 0) > nowMs) continue;
    version.state = "DESTROYED";
    version.keyBytes?.fill(0);
    version.keyBytes = undefined;
  }
  return key;
}

function childrenOf<T extends { readonly name: string }>(all: ReadonlyMap<string, T>, prefix: string): T[] {
  const children = [...all.values()].filter(({ name }) => name.startsWith(prefix));
  return children.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function checkRoom(size: number, limit: number): void {
  if (size >= limit) throw googleRefusal("RESOURCE_EXHAUSTED", `The emulator holds no more than ${limit} of these.`);
}

function notFound(kind: string, name: string): Refusal {
  return googleRefusal("NOT_FOUND", `${kind} ${name} not found.`);
}
