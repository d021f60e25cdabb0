import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { FaultEffect } from "../../../src/emulator/faults.ts";
import { assertSucceeded } from "./assert-outcome.ts";
import type { Bench, Keyd } from "./bench.ts";
import { type ConfigDocument, configFor, KEY, SHOP_KEYS } from "./config.ts";

/** Nothing listens on loopback's port 1: a connection is refused at once. */
const NOBODY = "http://127.0.0.1:1";

type Changes = Partial<ConfigDocument>;

/** Something that goes wrong between a user of sops and the key. */
export interface Failure {
  /** As README.md marks it. */
  readonly id: string;
  /** Ends the sentence "sops is told when …". */
  readonly when: string;
  /** As sops names the gRPC status. */
  readonly status: string;
  /** Parts of the message, among them what to do; a function where the two operations differ. */
  readonly says: (operation: "encrypt" | "decrypt") => readonly string[];
  /** Makes the trouble, and says what it takes in the config. */
  readonly arrange: (bench: Bench) => Changes | Promise<Changes>;
  /** The key that the user's files name, where it is not the usual one. */
  readonly key?: string;
}

const PLACE = [`key: ${KEY}`, "rule: shop, token source: shop"];

export const FAILURES: readonly Failure[] = [
  {
    id: "no-rule",
    when: "no rule matches the key",
    status: "PermissionDenied",
    says: () => [
      "no rule of the config matches this key",
      `key: ${KEY}`,
      "to do: widen the location in match of rule shop, the nearest, or add a rule whose match fits it",
    ],
    arrange: () => ({
      rules: [{ name: "shop", match: "projects/shop/locations/global/keyRings/*/cryptoKeys/*", tokenSource: "shop" }],
    }),
  },
  {
    id: "bad-key-name",
    when: "the key's name is not one",
    status: "InvalidArgument",
    says: () => [
      `"${KEY}/cryptoKeyVersions/3" is not the name of a Cloud KMS key`,
      "it names a key version; Cloud KMS picks the version itself",
      "to do: write it as projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
    ],
    arrange: () => ({}),
    key: `${KEY}/cryptoKeyVersions/3`,
  },
  {
    id: "kms-403",
    when: "Cloud KMS does not let our principal use the key",
    status: "FailedPrecondition",
    says: (operation) => [
      "answered 403 PERMISSION_DENIED",
      ...PLACE,
      operation === "encrypt"
        ? "to do: grant roles/cloudkms.cryptoKeyEncrypter on this key"
        : "to do: grant roles/cloudkms.cryptoKeyDecrypter on this key",
    ],
    arrange({ emulator }) {
      emulator.admin.setAccess(KEY, []);
      return {};
    },
  },
  {
    id: "key-not-found",
    when: "there is no such key",
    status: "NotFound",
    says: () => ["answered 404 NOT_FOUND", ...PLACE, "to do: check the project, location, key ring and key"],
    arrange: async (bench) => configFor(await bench.startEmulator({ strict: true })),
  },
  {
    id: "throttled",
    when: "the quota is used up",
    status: "ResourceExhausted",
    says: () => [
      "answered 429 RESOURCE_EXHAUSTED",
      ...PLACE,
      "to do: try again in a moment; if it stays, raise the quota",
    ],
    arrange: withKmsFault({ kind: "status", code: 429 }),
  },
  {
    id: "kms-unavailable",
    when: "Cloud KMS is not available",
    status: "Unavailable",
    says: () => ["answered 503 UNAVAILABLE", ...PLACE, "to do: try again in a moment"],
    arrange: withKmsFault({ kind: "status", code: 503 }),
  },
  {
    id: "kms-hangs",
    when: "Cloud KMS never answers",
    status: "DeadlineExceeded",
    says: () => ["the call took longer than 2 s", "waiting for Cloud KMS", ...PLACE, "to do: try again; if it stays"],
    arrange: (bench) => ({
      ...withKmsFault({ kind: "hang" })(bench),
      rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop", kms: { deadline: "2s" } }],
    }),
  },
  {
    id: "kms-unreachable",
    when: "nothing listens where Cloud KMS should",
    status: "Unavailable",
    says: () => ["could not be reached: ECONNREFUSED", ...PLACE, "to do: check the network, proxy and kms.endpoint"],
    arrange: ({ emulator }) => ({
      google: { endpoints: { kms: NOBODY, oauth2: emulator.url } },
    }),
  },
  {
    id: "token-endpoint-unreachable",
    when: "nothing listens where the token endpoint should",
    status: "Unavailable",
    says: () => ["token endpoint 127.0.0.1:1 cannot be reached (ECONNREFUSED)", ...PLACE, "to do: check the network"],
    arrange(bench) {
      const { url, files } = bench.emulator;
      const key = JSON.parse(readFileSync(files.serviceAccount, "utf8")) as object;
      const file = bench.write("service-account.json", JSON.stringify({ ...key, token_uri: `${NOBODY}/token` }));
      return {
        tokenSources: { shop: { type: "service_account", file, grant: "oauth" } },
        google: { endpoints: { kms: url, oauth2: NOBODY } },
      };
    },
  },
  {
    id: "kms-corrupts",
    when: "an answer of Cloud KMS was damaged",
    status: "DataLoss",
    says: (operation) => [
      "the answer of Cloud KMS was damaged on its way",
      `the checksum of its ${operation === "encrypt" ? "ciphertext" : "plaintext"} does not match; nothing was handed out`,
      ...PLACE,
      "to do: try again; if it stays, look for a proxy",
    ],
    arrange: withKmsFault({ kind: "corrupt" }),
  },
  {
    id: "caller-not-allowed",
    when: "the rule is for others",
    status: "PermissionDenied",
    says: () => [
      "no allow of the rule is for",
      "team-b",
      `key: ${KEY}`,
      "rule: shop",
      "to do: add team-b to the callers",
    ],
    arrange: (bench) => ({
      listeners: [
        { address: `unix://${bench.path("a.sock")}`, caller: "team-b" },
        { address: `unix://${bench.path("b.sock")}`, caller: "team-a" },
      ],
      rules: [{ name: "shop", match: SHOP_KEYS, tokenSource: "shop", allow: [{ callers: ["team-a"] }] }],
    }),
  },
  {
    id: "credential-missing",
    when: "the credential file is not there",
    status: "FailedPrecondition",
    says: () => [
      "there is no credential file",
      "shop.json",
      ...PLACE,
      "to do: put it there, or correct file of the token source",
    ],
    arrange: () => ({ tokenSources: { shop: { type: "service_account", file: "shop.json" } } }),
  },
];

function withKmsFault(effect: FaultEffect): (bench: Bench) => Changes {
  return ({ emulator }) => {
    for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) emulator.admin.addFault({ ...effect, endpoint });
    return {};
  };
}

export const PLAIN = "password: hidden\n";

/** A server that fails as told, and beside it `secret.yaml`, encrypted while all was well, and `plain.yaml`. */
export async function arrangeFailure(bench: Bench, failure: Failure): Promise<Keyd> {
  const { key = KEY, arrange } = failure;
  bench.write("plain.yaml", PLAIN);
  bench.write("secret.yaml", PLAIN);
  const well = await bench.serve();
  assertSucceeded(await bench.sops(well, ["encrypt", "--gcp-kms", KEY, "-i", "secret.yaml"]));
  well.child.signal("SIGTERM");
  await well.child.ended();
  const secret = bench.read("secret.yaml").toString("utf8");
  assert.ok(secret.includes(KEY));
  bench.write("secret.yaml", secret.replace(KEY, key));
  return await bench.serve(bench.writeConfig(await arrange(bench)));
}
