import { KeyServiceError } from "../core/errors.ts";
import { describeKey, type UnsupportedKey } from "./sops-key.ts";

const WORDS: Readonly<Record<UnsupportedKey["type"], string>> = {
  aws_kms: "AWS KMS",
  pgp: "PGP",
  azure_keyvault: "Azure Key Vault",
  vault: "HashiCorp Vault",
  age: "age",
  hckms: "Huawei Cloud KMS",
};

/**
 * Without the local key service, sops asks every key service for every key of a file, so this is what a user of a
 * mixed file meets.
 */
export function unsupportedKeyError(key: UnsupportedKey): KeyServiceError {
  return new KeyServiceError("key_type_unsupported", {
    problem: `sops-keyd serves Google Cloud KMS keys, and this is a key of ${WORDS[key.type]}`,
    key: describeKey(key),
    remedy: "let sops' own key service take it: unset SOPS_ENABLE_LOCAL_KEYSERVICE, or add --enable-local-keyservice",
  });
}
