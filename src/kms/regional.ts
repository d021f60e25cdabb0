import { KeyServiceError } from "../core/errors.ts";
import { type CryptoKeyName, idsOf } from "../routing/resource-name.ts";
import type { KmsCall, KmsClient } from "./kms-client.ts";

/**
 * Sends a regional endpoint no key of another location: it would answer that there is no such key, or that the location
 * is wrong, which helps nobody. A `match` with a star for the location is only warned of when the config is read.
 * https://cloud.google.com/kms/docs/regional-endpoints
 */
export function checkLocation(client: KmsClient, region: string, host: string): KmsClient {
  const refuseElsewhere = ({ key }: KmsCall): void => {
    const [, location] = idsOf(key);
    if (location !== region) throw elsewhereError(key, location ?? "", region, host);
  };
  return {
    async encrypt(plaintext, call) {
      refuseElsewhere(call);
      return client.encrypt(plaintext, call);
    },
    async decrypt(ciphertext, call) {
      refuseElsewhere(call);
      return client.decrypt(ciphertext, call);
    },
    close: () => client.close(),
  };
}

function elsewhereError(key: CryptoKeyName, location: string, region: string, host: string): KeyServiceError {
  return new KeyServiceError("kms_precondition_failed", {
    key,
    problem: `Cloud KMS at ${host} serves keys in ${region} only, and this key lies in ${location}`,
    remedy: `write locations/${region} in match of the rule, and give keys in ${location} a rule with another kms.endpoint`,
  });
}
