// Parts of Cloud KMS' paths, as sources of anchored, linear patterns. A domain-scoped project has a colon.
const LOCATION = "projects/[A-Za-z0-9.:-]+/locations/[a-z0-9-]+";
const ID = "[A-Za-z0-9_-]{1,63}";

export const LOCATION_PATH: string = `(?<location>${LOCATION})`;
export const RING_PATH: string = `(?<ring>${LOCATION}/keyRings/${ID})`;
export const KEY_PATH: string = `(?<key>${LOCATION}/keyRings/${ID}/cryptoKeys/${ID})`;
/** After a key's path. */
export const VERSION_SUFFIX: string = "(?:/cryptoKeyVersions/(?<version>[1-9][0-9]{0,8}))";

export const ID_PATTERN: RegExp = new RegExp(`^${ID}$`);
