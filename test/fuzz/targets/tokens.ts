import assert from "node:assert/strict";
import type { Secret } from "../../../src/core/secret.ts";
import { type ExecAnswer, readExecAnswer } from "../../../src/credentials/sources/exec-answer.ts";
import { parseExecutableResponse } from "../../../src/credentials/subject-tokens/executable-response.ts";
import { JWT_TYPES } from "../../../src/credentials/subject-tokens/subject-token.ts";
import { toRefusalError } from "../../../src/credentials/token-errors.ts";
import { computeLifetime, MAX_LIFETIME_MS, MIN_LIFETIME_MS } from "../../../src/credentials/token-lifetime.ts";
import { CANARY, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const NOW = { wallMs: NOW_MS, monotonicMs: 1000 };
const JSON_WORDS = ["{", "}", ":", ",", '"', "null", "true", "false", "[", "]", "\\u0000", "\\n", CANARY];
const [JWT_TYPE = ""] = JWT_TYPES;

/** What commands of the source `exec` print. */
export const execAnswer: Target = {
  name: "exec-answer",
  dictionary: [
    ...JSON_WORDS,
    "kind",
    "ExecCredential",
    "apiVersion",
    "client.authentication.k8s.io/v1",
    "status",
    "token",
    "expirationTimestamp",
    "success",
    "version",
    "token_type",
    "access_token",
    "id_token",
    "expiration_time",
    "expires_in",
    "code",
    "3600",
    "2026-01-01T01:00:00Z",
    "275760-09-13T00:00:00Z",
  ],
  maxBytes: 800,
  open: () => ({
    run(input) {
      try {
        const answer = readExecAnswer(input.toString("utf8"), NOW_MS);
        return answer === undefined ? "no object" : expectUsable(answer);
      } catch (thrown) {
        return expectRefusal(thrown, ["credential_rejected", "credential_unavailable"]);
      }
    },
  }),
};

function expectUsable(answer: ExecAnswer): string {
  if (answer.kind === "failure") {
    assert.match(answer.code ?? "A", /^[\w.-]{1,48}$/);
    return `failure ${answer.code === undefined}`;
  }
  expectToken(answer.accessToken);
  const { expiresAtMonotonicMs } = computeLifetime(answer.expiresAtMs, NOW, NOW, 0.5);
  const lifeMs = expiresAtMonotonicMs - NOW.monotonicMs;
  assert.ok(lifeMs >= MIN_LIFETIME_MS && lifeMs <= MAX_LIFETIME_MS, `lives for ${lifeMs} ms`);
  return answer.format;
}

function expectToken(token: Secret): void {
  assert.match(token.reveal(), /^[!-~]+$/, "would not fit into a header");
}

/** What executables of workload identity federation print. */
export const executableResponse: Target = {
  name: "executable-response",
  dictionary: [
    ...JSON_WORDS,
    "version",
    "success",
    "token_type",
    "id_token",
    "saml_response",
    "expiration_time",
    "code",
    "message",
    JWT_TYPE,
    "1767229200",
  ],
  maxBytes: 800,
  open: () => ({
    run(input) {
      const text = input.toString("utf8");
      const expected = { where: "executable /x", tokenType: JWT_TYPE, needsExpiry: text.endsWith(" "), nowMs: NOW_MS };
      try {
        const token = parseExecutableResponse(text, expected);
        const response = JSON.parse(text) as Record<string, unknown>;
        assert.deepEqual([response["success"], response["version"], response["id_token"]], [true, 1, token]);
        assert.ok(token !== "" && Number(response["expiration_time"] ?? Number.POSITIVE_INFINITY) * 1000 > NOW_MS);
        return `token ${expected.needsExpiry}`;
      } catch (thrown) {
        return expectRefusal(thrown, ["credential_rejected", "credential_unavailable"]).replace(/\(.*\)/, "");
      }
    },
  }),
};

/** A line with an HTTP status, and what a token endpoint said with it. */
export const tokenRefusal: Target = {
  name: "token-refusal",
  dictionary: [
    ...JSON_WORDS,
    "400",
    "401",
    "403",
    "429",
    "302",
    "error",
    "error_description",
    "error_subtype",
    "invalid_grant",
    "invalid_rapt",
    "status",
    "details",
    "reason",
    "SERVICE_DISABLED",
    "Token has been expired or revoked.",
    "reasonable timeframe",
    "account not found",
  ],
  maxBytes: 1000,
  open: () => ({
    run(input) {
      const [head = "", ...rest] = input.toString("utf8").split("\n");
      const status = Number(head.slice(0, 3)) || 500;
      const context = { source: "team-a", principal: "robot@p", remedyFor: () => undefined };
      const response = { status, headers: new Map<string, string>(), text: rest.join("\n") };
      const error = toRefusalError(response, "oauth2.googleapis.com", context);
      return (
        expectRefusal(error, ["credential_rejected", "credential_unavailable"]).replace(/\(.*\)/, "") +
        error.detail.remedy
      );
    },
  }),
};
