import { z } from "zod";
import type { Authenticate } from "./authentication.ts";
import { parseJsonBody } from "./body.ts";
import type { CryptoKey, KeyVersion } from "./key-state.ts";
import type { KeyStore } from "./key-store.ts";
import { keyJson, pageOf, ringJson, versionJson } from "./kms-json.ts";
import { ID_PATTERN, KEY_PATH, LOCATION_PATH, RING_PATH, VERSION_SUFFIX } from "./kms-paths.ts";
import { googleRefusal } from "./refusals.ts";
import { type Call, type Endpoint, parameter, type Reply, type Route } from "./routes.ts";

export interface KmsDependencies {
  readonly store: KeyStore;
  readonly authenticate: Authenticate;
}

// Google's Go client sends enums by their numbers, the others by their names.
const newKeyShape = z.strictObject({
  name: z.string().exactOptional(),
  purpose: z.literal(["ENCRYPT_DECRYPT", 1], "The emulator has keys of the purpose ENCRYPT_DECRYPT only."),
  labels: z.record(z.string(), z.string()).default({}),
  versionTemplate: z
    .strictObject({
      protectionLevel: z.literal(["SOFTWARE", 1]).exactOptional(),
      algorithm: z.literal(["GOOGLE_SYMMETRIC_ENCRYPTION", 1]).exactOptional(),
    })
    .exactOptional(),
});
const newPrimaryShape = z.strictObject({
  name: z.string().exactOptional(),
  cryptoKeyVersionId: z.string().regex(/^[1-9][0-9]{0,8}$/),
});
// A client sends the whole version along; only what the mask names counts.
const versionPatchShape = z.looseObject({ state: z.literal(["ENABLED", "DISABLED", 1, 2]) });

type Answer = (call: Call) => Reply | Promise<Reply>;

/** Key rings, keys and versions: https://cloud.google.com/kms/docs/reference/rest */
export function createKmsRoutes({ store, authenticate }: KmsDependencies): readonly Route[] {
  const route = (method: string, endpoint: Endpoint, pattern: string, answer: Answer): Route => ({
    method,
    path: new RegExp(`^/v1/${pattern}$`),
    endpoint,
    resource: ({ params }) => params["key"] ?? params["ring"] ?? params["location"],
    async answer(call) {
      await authenticate(call, "cloudkms");
      return answer(call);
    },
  });

  const locate = async (call: Call): Promise<{ key: CryptoKey; version: KeyVersion }> => {
    const key = await store.key(parameter(call, "key"));
    return { key, version: store.version(key, Number(parameter(call, "version"))) };
  };

  const ringRoutes = [
    route("POST", "kms.keyRings", `${LOCATION_PATH}/keyRings`, async (call) =>
      ok(ringJson(await store.createRing(`${parameter(call, "location")}/keyRings/${newId(call, "keyRingId")}`))),
    ),
    route("GET", "kms.keyRings", `${LOCATION_PATH}/keyRings`, (call) => {
      const rings = store.rings(parameter(call, "location"));
      return list(call, "keyRings", rings, ({ name }) => name, ringJson);
    }),
    route("GET", "kms.keyRings", RING_PATH, async (call) => ok(ringJson(await store.ring(parameter(call, "ring"))))),
  ];

  const keyRoutes = [
    route("POST", "kms.cryptoKeys", `${RING_PATH}/cryptoKeys`, async (call) => {
      const { labels } = parseJsonBody(call.request, newKeyShape);
      const name = `${parameter(call, "ring")}/cryptoKeys/${newId(call, "cryptoKeyId")}`;
      const skipInitialVersion = call.request.query.get("skipInitialVersionCreation") === "true";
      return ok(keyJson(await store.createKey(name, { labels, skipInitialVersion })));
    }),
    route("GET", "kms.cryptoKeys", `${RING_PATH}/cryptoKeys`, async (call) => {
      const ring = await store.ring(parameter(call, "ring"));
      return list(call, "cryptoKeys", store.keys(ring.name), ({ name }) => name, keyJson);
    }),
    route("GET", "kms.cryptoKeys", KEY_PATH, async (call) => ok(keyJson(await store.key(parameter(call, "key"))))),
    route("POST", "kms.cryptoKeys", `${KEY_PATH}:updatePrimaryVersion`, async (call) => {
      const { cryptoKeyVersionId } = parseJsonBody(call.request, newPrimaryShape);
      const key = await store.key(parameter(call, "key"));
      await store.setPrimary(key, Number(cryptoKeyVersionId));
      return ok(keyJson(key));
    }),
  ];

  const versionRoute = (method: string, suffix: string, answer: Answer): Route =>
    route(method, "kms.cryptoKeyVersions", `${KEY_PATH}${suffix}`, answer);
  const versionRoutes = [
    versionRoute("POST", "/cryptoKeyVersions", async (call) => {
      const key = await store.key(parameter(call, "key"));
      return ok(versionJson(key, await store.createVersion(key)));
    }),
    versionRoute("GET", "/cryptoKeyVersions", async (call) => {
      const key = await store.key(parameter(call, "key"));
      const render = (version: KeyVersion) => versionJson(key, version);
      return list(call, "cryptoKeyVersions", key.versions, ({ number }) => String(number), render);
    }),
    versionRoute("GET", VERSION_SUFFIX, async (call) => {
      const { key, version } = await locate(call);
      return ok(versionJson(key, version));
    }),
    versionRoute("PATCH", VERSION_SUFFIX, async (call) => {
      if (call.request.query.get("updateMask") !== "state") {
        throw googleRefusal(
          "INVALID_ARGUMENT",
          "The emulator changes nothing but the state: updateMask must be 'state'.",
        );
      }
      const { state } = parseJsonBody(call.request, versionPatchShape);
      const { key, version } = await locate(call);
      await store.setEnabled(key, version, state === "ENABLED" || state === 1);
      return ok(versionJson(key, version));
    }),
    versionRoute("POST", `${VERSION_SUFFIX}:destroy`, async (call) => {
      const { key, version } = await locate(call);
      await store.destroy(key, version);
      return ok(versionJson(key, version));
    }),
    versionRoute("POST", `${VERSION_SUFFIX}:restore`, async (call) => {
      const { key, version } = await locate(call);
      await store.restore(key, version);
      return ok(versionJson(key, version));
    }),
  ];

  return [...ringRoutes, ...keyRoutes, ...versionRoutes];
}

function ok(body: object): Reply {
  return { status: 200, body };
}

function newId(call: Call, parameterName: string): string {
  const id = call.request.query.get(parameterName) ?? "";
  if (ID_PATTERN.test(id)) return id;
  throw googleRefusal("INVALID_ARGUMENT", `${parameterName} must be given, and match ${ID_PATTERN.source}.`);
}

function list<T>(
  call: Call,
  field: string,
  items: readonly T[],
  nameOf: (item: T) => string,
  render: (item: T) => object,
): Reply {
  const { query } = call.request;
  const unsupported = ["filter", "orderBy"].find((name) => (query.get(name) ?? "") !== "");
  if (unsupported !== undefined) throw googleRefusal("INVALID_ARGUMENT", `The emulator does not have ${unsupported}.`);
  const page = pageOf(items, nameOf, query);
  return ok({
    [field]: page.items.map(render),
    ...(page.nextPageToken !== "" && { nextPageToken: page.nextPageToken }),
    totalSize: items.length,
  });
}
