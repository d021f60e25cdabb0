import assert from "node:assert/strict";
import { createEndpointPolicy } from "../../../src/credentials/endpoint-policy.ts";
import { createRefreshTokens } from "../../../src/credentials/refresh-tokens.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import type { SourceContext } from "../../../src/credentials/source-context.ts";
import { createCheckedSource } from "../../../src/credentials/sources/custom.ts";
import { createMetadataSource } from "../../../src/credentials/sources/metadata.ts";
import { CLOUD_KMS_SCOPE, type TokenSource } from "../../../src/credentials/token.ts";
import { MAX_LIFETIME_MS } from "../../../src/credentials/token-lifetime.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { configureGoogle } from "../../fakes/token-google.ts";
import { CANARY, expectPublic, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const JSON_WORDS = ["{", "}", ":", ",", '"', "null", "[", "]", "\\u0000", "\\r\\n", "\n", CANARY];
const clock = createFakeClock();

async function describeAnswer(source: TokenSource): Promise<string> {
  try {
    const holder = createRefreshing(source, { clock, random: () => 0 });
    const { accessToken, expiresAtMs, steps, principal = "" } = await holder.getToken(new AbortController().signal);
    assert.match(accessToken.reveal(), /^[!-~]+$/, "would not fit into a header");
    assert.ok(expiresAtMs > clock.nowMs() && expiresAtMs < clock.nowMs() + MAX_LIFETIME_MS, `${expiresAtMs}`);
    for (const step of steps) assert.equal(typeof step, "string");
    return `token ${Math.min(3, steps.length)} ${principal === ""}`;
  } catch (thrown) {
    return expectRefusal(thrown, ["credential_missing", "credential_rejected", "credential_unavailable"]);
  }
}

/** What a metadata server, or whoever listens at its address, answers: a line each. */
export const metadataAnswer: Target = {
  name: "metadata-answer",
  dictionary: [
    ...JSON_WORDS,
    "access_token",
    "expires_in",
    "token_type",
    "googleapis.com",
    "robot@p.iam.gserviceaccount.com",
  ],
  maxBytes: 800,
  open: () => ({
    run(input) {
      const answers = input.toString("utf8").split("\n");
      const headers = new Map([["metadata-flavor", "Google"]]);
      const send = async () => ({ status: 200, headers, text: answers.shift() ?? "" });
      const google = configureGoogle({ metadata: "http://127.0.0.1:1" });
      const context: SourceContext = {
        google,
        scope: CLOUD_KMS_SCOPE,
        environment: createEnvironment(),
        clock,
        refreshTokens: createRefreshTokens({ stateDirectory: undefined, warn: () => {} }),
        warn: expectPublic,
        policy: createEndpointPolicy(google),
        send: Object.assign(send, { prepare: async () => {} }),
      };
      return describeAnswer(createMetadataSource("machine", { account: "default", timeoutMs: 1000 }, context));
    },
  }),
};

/** What a module's `fetchToken` resolves to. */
export const moduleAnswer: Target = {
  name: "module-answer",
  dictionary: [...JSON_WORDS, "accessToken", "expiresAtMs", "principal", "steps", "reveal", "1767229200000", "1e999"],
  maxBytes: 800,
  open: () => ({
    run(input) {
      const answer = parse(input.toString("utf8"));
      return describeAnswer(createCheckedSource("own", "module own.ts", { fetchToken: async () => answer }));
    },
  }),
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
