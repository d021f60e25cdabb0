import { z } from "zod";
import type { Operation } from "../config/config.ts";
import type { AccessLists } from "./access.ts";
import type { Authenticate } from "./authentication.ts";
import { decodeBase64Field, parseJsonBody } from "./body.ts";
import { crc32c } from "./crc32c.ts";
import { type KeyMaterial, open, referenceOf, seal } from "./key-cipher.ts";
import { type CryptoKey, type KeyVersion, versionName } from "./key-state.ts";
import { type KeyStore, requireState } from "./key-store.ts";
import { KEY_PATH, VERSION_SUFFIX } from "./kms-paths.ts";
import { googleRefusal, permissionRefusal } from "./refusals.ts";
import { type Call, parameter, type Reply, type Route } from "./routes.ts";

// Cloud KMS' limit for software keys, for plaintext and additional data each.
const MAX_PAYLOAD_BYTES = 64 * 1024;

const PERMISSIONS: Readonly<Record<Operation, string>> = {
  encrypt: "cloudkms.cryptoKeyVersions.useToEncrypt",
  decrypt: "cloudkms.cryptoKeyVersions.useToDecrypt",
};

// An int64 is a string in protobuf's JSON mapping, and a number is taken as well.
const int64 = z.union([z.string().regex(/^\d{1,19}$/), z.int().nonnegative()]).exactOptional();
const common = {
  // Google's Go client repeats the name of the path in the body.
  name: z.string().exactOptional(),
  additionalAuthenticatedData: z.string().exactOptional(),
  additionalAuthenticatedDataCrc32c: int64,
};
const encryptShape = z.strictObject({
  ...common,
  plaintext: z.string().default(""),
  plaintextCrc32c: int64,
});
const decryptShape = z.strictObject({
  ...common,
  ciphertext: z.string().default(""),
  ciphertextCrc32c: int64,
});

export interface KmsCryptoDependencies {
  readonly store: KeyStore;
  readonly access: AccessLists;
  readonly authenticate: Authenticate;
}

/** `:encrypt` and `:decrypt`: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys */
export function createKmsCryptoRoutes({ store, access, authenticate }: KmsCryptoDependencies): readonly Route[] {
  const admit = async (call: Call, operation: Operation): Promise<CryptoKey> => {
    const principal = await authenticate(call, "cloudkms");
    const name = parameter(call, "key");
    if (!access.mayUse(principal, name, operation)) throw permissionRefusal(PERMISSIONS[operation], name);
    return store.key(name);
  };

  const encrypt = async (call: Call): Promise<Reply> => {
    const body = parseJsonBody(call.request, encryptShape);
    const plaintext = readField("plaintext", body.plaintext, body.plaintextCrc32c);
    const additional = readAdditional(body);
    const key = await admit(call, "encrypt");
    const version = encryptingVersion(store, key, call.params["version"]);
    const ciphertext = seal(materialOf(key, version), key.name, additional.bytes, plaintext.bytes);
    return {
      status: 200,
      body: {
        name: versionName(key, version),
        ciphertext: ciphertext.toString("base64"),
        ciphertextCrc32c: String(crc32c(ciphertext)),
        ...(plaintext.verified && { verifiedPlaintextCrc32c: true }),
        ...(additional.verified && { verifiedAdditionalAuthenticatedDataCrc32c: true }),
        protectionLevel: "SOFTWARE",
      },
    };
  };

  const decrypt = async (call: Call): Promise<Reply> => {
    const body = parseJsonBody(call.request, decryptShape);
    const ciphertext = readField("ciphertext", body.ciphertext, body.ciphertextCrc32c);
    const additional = readAdditional(body);
    const key = await admit(call, "decrypt");
    const reference = referenceOf(ciphertext.bytes);
    const version = key.versions.find((candidate) => candidate.reference === reference);
    const plaintext = version && open(materialOf(key, version), key.name, additional.bytes, ciphertext.bytes);
    if (version === undefined || plaintext === undefined) {
      throw googleRefusal("INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.");
    }
    return {
      status: 200,
      body: {
        plaintext: plaintext.toString("base64"),
        plaintextCrc32c: String(crc32c(plaintext)),
        ...(version.number === key.primary && { usedPrimary: true }),
        protectionLevel: "SOFTWARE",
      },
    };
  };

  const resource = (call: Call) => parameter(call, "key");
  return [
    {
      method: "POST",
      path: new RegExp(`^/v1/${KEY_PATH}${VERSION_SUFFIX}?:encrypt$`),
      endpoint: "kms.encrypt",
      resource,
      answer: encrypt,
    },
    {
      method: "POST",
      path: new RegExp(`^/v1/${KEY_PATH}:decrypt$`),
      endpoint: "kms.decrypt",
      resource,
      answer: decrypt,
    },
  ];
}

interface Field {
  readonly bytes: Buffer;
  /** A checksum came along, and it was right. */
  readonly verified: boolean;
}

function readField(field: string, text: string, checksum: string | number | undefined): Field {
  const bytes = decodeBase64Field(field, text);
  if (field !== "ciphertext" && bytes.length > MAX_PAYLOAD_BYTES) {
    throw googleRefusal("INVALID_ARGUMENT", `The ${field} is larger than the limit of ${MAX_PAYLOAD_BYTES} bytes.`);
  }
  if (checksum === undefined) return { bytes, verified: false };
  if (BigInt(checksum) !== BigInt(crc32c(bytes))) {
    throw googleRefusal(
      "INVALID_ARGUMENT",
      `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
    );
  }
  return { bytes, verified: true };
}

function readAdditional(body: {
  readonly additionalAuthenticatedData?: string;
  readonly additionalAuthenticatedDataCrc32c?: string | number;
}): Field {
  const { additionalAuthenticatedData: text = "", additionalAuthenticatedDataCrc32c: checksum } = body;
  return readField("additional_authenticated_data", text, checksum);
}

function encryptingVersion(store: KeyStore, key: CryptoKey, number: string | undefined): KeyVersion {
  const wanted = number === undefined ? key.primary : Number(number);
  if (wanted !== undefined) return store.version(key, wanted);
  throw googleRefusal("FAILED_PRECONDITION", `${key.name} has no primary version.`);
}

/** @throws Refusal where the version is not enabled */
function materialOf(key: CryptoKey, version: KeyVersion): KeyMaterial {
  requireState(key, version, "ENABLED");
  const { reference, keyBytes } = version;
  if (keyBytes === undefined) throw new Error("an enabled version has no key bytes");
  return { reference, keyBytes };
}
