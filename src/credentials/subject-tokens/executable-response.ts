import { KeyServiceError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { JWT_TYPES, SAML_TYPE } from "./subject-token.ts";

export interface ResponseExpectation {
  /** `executable /usr/bin/x`, for errors. */
  readonly where: string;
  readonly tokenType: string;
  /** Whoever keeps a response in a file must say until when it is good. */
  readonly needsExpiry: boolean;
  readonly nowMs: number;
}

/**
 * The subject token in what an executable printed, in version 1 of Google's format. The message of a failure is not
 * shown, since nothing says what is in it; its code is.
 * https://google.aip.dev/auth/4117
 *
 * @throws KeyServiceError `credential_unavailable` for a failure that the executable reports, `credential_rejected` for
 * a response that is malformed or expired
 */
export function parseExecutableResponse(text: string, expected: ResponseExpectation): string {
  const { where } = expected;
  const response = parseJsonObject(text);
  if (response === undefined) throw malformed(where, "it is not a JSON object");
  if (response["version"] !== 1) throw malformed(where, "its version is not 1");
  if (response["success"] === false) throw reportedFailure(where, response["code"]);
  if (response["success"] !== true) throw malformed(where, "success is neither true nor false");
  const { token_type: tokenType } = response;
  if (tokenType !== expected.tokenType) {
    throw malformed(where, "its token_type is not the subject_token_type of the credential file");
  }
  checkExpiry(response["expiration_time"], expected);
  const field = expected.tokenType === SAML_TYPE ? "saml_response" : "id_token";
  const token = response[field];
  const isKnown = expected.tokenType === SAML_TYPE || JWT_TYPES.includes(expected.tokenType);
  if (!isKnown || typeof token !== "string" || token === "") throw malformed(where, `it has no ${field}`);
  return token;
}

function checkExpiry(expiresAtS: unknown, { where, needsExpiry, nowMs }: ResponseExpectation): void {
  if (expiresAtS === undefined && !needsExpiry) return;
  if (typeof expiresAtS !== "number") throw malformed(where, "it has no expiration_time in seconds");
  if (expiresAtS * 1000 > nowMs) return;
  throw new KeyServiceError("credential_rejected", {
    problem: `the response of ${where} has expired`,
    remedy: "see why the executable gives out an old token, and check the clock of this machine",
  });
}

function malformed(where: string, why: string): KeyServiceError {
  return new KeyServiceError("credential_rejected", {
    problem: `the response of ${where} is malformed: ${why}`,
    remedy: "have it print google's executable response, version 1, and nothing else",
  });
}

function reportedFailure(where: string, code: unknown): KeyServiceError {
  const shown = typeof code === "string" && /^[A-Za-z0-9_.-]{1,48}$/.test(code) ? code : "no code of a usual form";
  return new KeyServiceError("credential_unavailable", {
    problem: `${where} reports a failure (${shown})`,
    remedy: "run it by hand as the user of sops-keyd: its message is not shown here",
  });
}
