import { KeyServiceError } from "../core/errors.ts";
import type { MintToken } from "./source-context.ts";
import { mintAuthorizedUser } from "./sources/authorized-user.ts";
import { createExternalAccountMint, UNTRUSTED } from "./sources/external-account.ts";
import { mintExternalAccountAuthorizedUser } from "./sources/external-account-authorized-user.ts";
import { refuseWithoutAudience } from "./sources/gdch-service-account.ts";
import { createImpersonatedFileMint } from "./sources/impersonated-service-account.ts";
import { mintSelfSigned } from "./sources/service-account.ts";

/** Makes a token from a credential of whatever type, by the `type` it states. */
export const mintAnyCredential: MintToken = async (source, document, context, signal) => {
  const mint = MINTS.get(document.type);
  if (mint !== undefined) return mint(source, document, context, signal);
  throw new KeyServiceError("credential_rejected", {
    source,
    problem: `the credential in ${document.origin} is of ${describeType(document.type)}`,
    remedy: `use one of: ${[...MINTS.keys()].join(", ")}`,
  });
};

/** The one table of Google's credential types; a new type is a new line. */
const MINTS: ReadonlyMap<string, MintToken> = new Map([
  ["service_account", mintSelfSigned],
  ["authorized_user", mintAuthorizedUser],
  ["external_account_authorized_user", mintExternalAccountAuthorizedUser],
  ["gdch_service_account", refuseWithoutAudience],
  ["external_account", createExternalAccountMint(UNTRUSTED)],
  ["impersonated_service_account", createImpersonatedFileMint(mintAnyCredential)],
]);

/** The type is a field of a credential: shown only where it looks like a type. */
function describeType(type: string): string {
  return /^[a-z_]{1,60}$/.test(type) ? `type ${type}, which is not supported` : "an unknown type";
}
