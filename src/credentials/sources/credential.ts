import { KeyServiceError } from "../../core/errors.ts";
import { parseCredential } from "../credential-document.ts";
import type { ReadCredential } from "../credential-file.ts";
import type { MintToken, SourceContext } from "../source-context.ts";
import type { TokenSource } from "../token.ts";

/**
 * Tokens from a credential in Google's JSON form.
 *
 * @param type the only `type` that is taken; undefined where `mint` itself decides
 */
export function createCredentialSource(
  name: string,
  read: ReadCredential,
  type: string | undefined,
  mint: MintToken,
  context: SourceContext,
): TokenSource {
  return {
    name,
    async fetchToken(signal) {
      const document = parseCredential(await read());
      if (type !== undefined && document.type !== type) {
        throw new KeyServiceError("credential_rejected", {
          source: name,
          problem: `the config says ${type}, but the credential in ${document.origin} is of another type`,
          remedy: "give the token source the type that the credential has",
        });
      }
      return mint(name, document, context, signal);
    },
  };
}
