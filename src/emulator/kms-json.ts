import { type CryptoKey, type KeyRing, type KeyVersion, versionName } from "./key-state.ts";
import { googleRefusal } from "./refusals.ts";

// Shapes: https://cloud.google.com/kms/docs/reference/rest

export function ringJson(ring: KeyRing): object {
  return { name: ring.name, createTime: toTimestamp(ring.createTimeMs) };
}

export function keyJson(key: CryptoKey): object {
  const primary = key.primary === undefined ? undefined : key.versions[key.primary - 1];
  return {
    name: key.name,
    ...(primary === undefined ? {} : { primary: versionJson(key, primary) }),
    purpose: "ENCRYPT_DECRYPT",
    createTime: toTimestamp(key.createTimeMs),
    versionTemplate: { protectionLevel: "SOFTWARE", algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION" },
    destroyScheduledDuration: "2592000s",
    ...(Object.keys(key.labels).length === 0 ? {} : { labels: key.labels }),
  };
}

export function versionJson(key: CryptoKey, version: KeyVersion): object {
  const due = version.destroyTimeMs === undefined ? undefined : toTimestamp(version.destroyTimeMs);
  return {
    name: versionName(key, version),
    state: version.state,
    createTime: toTimestamp(version.createTimeMs),
    generateTime: toTimestamp(version.createTimeMs),
    protectionLevel: "SOFTWARE",
    algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION",
    ...(due === undefined ? {} : { [version.state === "DESTROYED" ? "destroyEventTime" : "destroyTime"]: due }),
  };
}

/** RFC 3339, as protobuf's JSON mapping writes a Timestamp. */
export function toTimestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** One page of items that are sorted by name: the token is the last name seen, so that changes in between do no harm. */
export function pageOf<T>(items: readonly T[], nameOf: (item: T) => string, query: URLSearchParams): Page<T> {
  const size = parsePageSize(query.get("pageSize"));
  const start = findStart(items, nameOf, query.get("pageToken") ?? "");
  const page = items.slice(start, start + size);
  const last = page.at(-1);
  const more = last !== undefined && start + size < items.length;
  return { items: page, nextPageToken: more ? Buffer.from(nameOf(last)).toString("base64url") : "" };
}

function parsePageSize(text: string | null): number {
  const size = text === null || text === "" ? 0 : Number(text);
  if (!Number.isInteger(size) || size < 0) throw googleRefusal("INVALID_ARGUMENT", "page_size is not valid.");
  return size === 0 ? DEFAULT_PAGE_SIZE : Math.min(size, MAX_PAGE_SIZE);
}

function findStart<T>(items: readonly T[], nameOf: (item: T) => string, token: string): number {
  if (token === "") return 0;
  const after = Buffer.from(token, "base64url").toString("utf8");
  const index = items.findIndex((item) => nameOf(item) === after);
  if (index === -1) throw googleRefusal("INVALID_ARGUMENT", "page_token is not valid.");
  return index + 1;
}
