import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { createDeadline } from "../../../src/core/deadline.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createKmsClient } from "../../../src/kms/client.ts";
import { crc32c } from "../../../src/kms/crc32c.ts";
import { createEndpointPool } from "../../../src/kms/endpoint-pool.ts";
import type { KmsEvent } from "../../../src/kms/events.ts";
import type { KmsCall } from "../../../src/kms/kms-client.ts";
import { createQuotaLimiters } from "../../../src/kms/quota-limiters.ts";
import { createRestTransport } from "../../../src/kms/rest-transport.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeClock, settle } from "../../fakes/clock.ts";
import {
  decryptReply,
  encryptReply,
  errorReply,
  type KmsEndpoint,
  type KmsReply,
  type KmsRequest,
  startKmsEndpoint,
} from "../../fakes/kms-endpoint.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const KEY = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const DATA_KEY = randomBytes(32);
const CIPHERTEXT = randomBytes(80);

async function setUp(
  t: TestContext,
  replies: readonly ((request: KmsRequest) => KmsReply)[],
  clock: Clock = systemClock,
) {
  const endpoint = await startKmsEndpoint(...replies);
  const quotaProject = "billing";
  const events: KmsEvent[] = [];
  const report = (event: KmsEvent) => events.push(event);
  const client = createKmsClient({
    rule: "rule",
    transport: createRestTransport({
      dispatcher: createEndpointPool(endpoint.url),
      endpoint: endpoint.url,
      quotaProject,
      userAgent: "sops-keyd/test",
      clock,
    }),
    attemptTimeoutMs: 3_000,
    quotaProject,
    limiters: createQuotaLimiters(clock, report),
    clock,
    random: () => 0,
    report,
  });
  t.after(async () => {
    await client.close();
    endpoint.close();
  });
  const tokens = createFakeTokenHolder();
  const call: KmsCall = { key: KEY, tokens, reason: undefined, signal: new AbortController().signal };
  return { endpoint, client, tokens, events, call };
}

function codeIs(code: string, words: RegExp = /./) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof KeyServiceError);
    assert.equal(thrown.code, code);
    assert.match(thrown.message, words);
    return true;
  };
}

function tokensSent(endpoint: KmsEndpoint): readonly (string | undefined)[] {
  return endpoint.requests.map(({ headers }) => headers.authorization);
}

describe("the REST client of Cloud KMS", () => {
  test("sends the data key with its checksum, the token and the quota project", async (t) => {
    const { endpoint, client, call } = await setUp(t, [(request) => encryptReply(request, CIPHERTEXT)]);
    const result = await client.encrypt(DATA_KEY, call);
    assert.deepEqual(result.ciphertext, CIPHERTEXT);
    assert.equal(result.keyVersion, `${KEY}/cryptoKeyVersions/1`);
    assert.equal(result.principal, "robot@project.iam.gserviceaccount.com");
    const [request] = endpoint.requests;
    assert.equal(request?.path, `/v1/${KEY}:encrypt`);
    assert.deepEqual(request.body, {
      plaintext: DATA_KEY.toString("base64"),
      plaintextCrc32c: String(crc32c(DATA_KEY)),
    });
    assert.equal(request.headers.authorization, "Bearer token-1");
    assert.equal(request.headers["x-goog-user-project"], "billing");
  });

  for (const size of [32, 33]) {
    test(`decrypts a data key of ${size} bytes`, async (t) => {
      const dataKey = randomBytes(size);
      const { endpoint, client, call } = await setUp(t, [() => decryptReply(dataKey)]);
      assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, dataKey);
      assert.deepEqual(endpoint.requests[0]?.body, {
        ciphertext: CIPHERTEXT.toString("base64"),
        ciphertextCrc32c: String(crc32c(CIPHERTEXT)),
      });
    });
  }

  test("asks once more with a fresh token when its token is refused", async (t) => {
    const refused = () => errorReply(401, "UNAUTHENTICATED", "invalid authentication");
    const { endpoint, client, tokens, call } = await setUp(t, [refused, () => decryptReply(DATA_KEY)]);
    assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, DATA_KEY);
    assert.deepEqual(tokensSent(endpoint), ["Bearer token-1", "Bearer token-2"]);
    assert.deepEqual(tokens.invalidated, [1]);
  });

  test("gives up when the fresh token is refused as well", async (t) => {
    const { endpoint, client, tokens, call } = await setUp(t, [() => errorReply(401, "UNAUTHENTICATED", "no")]);
    await assert.rejects(client.decrypt(CIPHERTEXT, call), codeIs("kms_permission_denied", /also for a fresh token/));
    assert.equal(endpoint.requests.length, 2);
    assert.deepEqual(tokens.invalidated, [1]);
  });

  for (const status of [503, 504]) {
    test(`tries again after ${status}`, async (t) => {
      const down = () => errorReply(status, "UNAVAILABLE", "the service is unavailable");
      const { endpoint, client, call } = await setUp(t, [down, () => decryptReply(DATA_KEY)]);
      assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, DATA_KEY);
      assert.equal(endpoint.requests.length, 2);
    });
  }

  test("asks three times at most, where calls before it have earned that", async (t) => {
    const down = () => errorReply(503, "UNAVAILABLE", "down");
    const { endpoint, client, call } = await setUp(t, [() => decryptReply(DATA_KEY), down]);
    await client.decrypt(CIPHERTEXT, call);
    await assert.rejects(client.decrypt(CIPHERTEXT, call), codeIs("kms_unavailable", /503 UNAVAILABLE: down/));
    assert.equal(endpoint.requests.length, 1 + 3);
  });

  test("asks twice at most for the first call of all, so that retries never outnumber calls", async (t) => {
    const { endpoint, client, call } = await setUp(t, [() => errorReply(503, "UNAVAILABLE", "down")]);
    await assert.rejects(client.decrypt(CIPHERTEXT, call), codeIs("kms_unavailable", /503 UNAVAILABLE: down/));
    assert.equal(endpoint.requests.length, 2);
  });

  test("tries a throttled call again when the quota's limiter lets it, and says so when that fails as well", async (t) => {
    const clock = createFakeClock();
    const throttled = () => errorReply(429, "RESOURCE_EXHAUSTED", "quota");
    const { endpoint, client, events, call } = await setUp(t, [throttled], clock);
    const answer = client.decrypt(CIPHERTEXT, call);
    const refused = assert.rejects(answer, codeIs("kms_throttled", /raise the quota/));
    while (events.length === 0) await settle();
    await clock.pass(1_000);
    await endpoint.asked(2);
    await refused;
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["quota_limited"],
    );
  });

  test("tries again after a connection that broke", async (t) => {
    const { client, call } = await setUp(t, [() => "reset", () => decryptReply(DATA_KEY)]);
    assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, DATA_KEY);
  });

  for (const { status, google, code, words } of [
    { status: 403, google: "PERMISSION_DENIED", code: "kms_permission_denied", words: /cryptoKeyDecrypter/ },
    { status: 404, google: "NOT_FOUND", code: "key_not_found", words: /check the project/ },
    { status: 400, google: "INVALID_ARGUMENT", code: "payload_invalid", words: /encrypted with this key/ },
    { status: 400, google: "FAILED_PRECONDITION", code: "kms_precondition_failed", words: /key version/ },
    { status: 500, google: "INTERNAL", code: "kms_unavailable", words: /500 INTERNAL/ },
  ]) {
    test(`reports ${status} ${google} at once and says what to do`, async (t) => {
      const { endpoint, client, call } = await setUp(t, [() => errorReply(status, google, "no")]);
      await assert.rejects(client.decrypt(CIPHERTEXT, call), codeIs(code, words));
      assert.equal(endpoint.requests.length, 1);
    });
  }

  test("sends a request again that Cloud KMS says arrived damaged", async (t) => {
    const damaged = () => errorReply(400, "INVALID_ARGUMENT", "ciphertext_crc32c did not match");
    const { client, call, events } = await setUp(t, [damaged, () => decryptReply(DATA_KEY)]);
    assert.deepEqual((await client.decrypt(CIPHERTEXT, call)).plaintext, DATA_KEY);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["answer_discarded"],
    );
  });

  test("shows nothing of an answer that is not Google's", async (t) => {
    const { client, call } = await setUp(t, [() => ({ status: 502, text: "<html>PROXY-CANARY</html>" })]);
    await assert.rejects(client.decrypt(CIPHERTEXT, call), (thrown: unknown) => {
      assert.ok(thrown instanceof KeyServiceError);
      assert.doesNotMatch(thrown.message, /CANARY/);
      return true;
    });
  });

  test("gives up a hanging attempt after its own time and tries again", async (t) => {
    const clock = createFakeClock();
    const { endpoint, client, call } = await setUp(t, [() => "hang", () => decryptReply(DATA_KEY)], clock);
    const answer = client.decrypt(CIPHERTEXT, call);
    await endpoint.asked(1);
    await clock.pass(3_000);
    assert.deepEqual((await answer).plaintext, DATA_KEY);
  });

  test("ends with the call's deadline and says whom it was waiting for", async (t) => {
    const clock = createFakeClock();
    const { endpoint, client, call } = await setUp(t, [() => "hang"], clock);
    using deadline = createDeadline(clock, 2_000, "the call took longer than 2 s");
    const answer = client.decrypt(CIPHERTEXT, { ...call, signal: deadline.signal });
    await endpoint.asked(1);
    clock.advance(2_000);
    await assert.rejects(
      answer,
      codeIs("deadline_exceeded", /longer than 2 s \(waiting for Cloud KMS at 127\.0\.0\.1/),
    );
    assert.equal(endpoint.requests.length, 1);
  });

  test("follows a cancelled call through to the connection", async (t) => {
    const { endpoint, client, call } = await setUp(t, [() => "hang"]);
    const caller = new AbortController();
    const answer = client.decrypt(CIPHERTEXT, { ...call, signal: caller.signal });
    await endpoint.asked(1);
    caller.abort();
    await assert.rejects(answer, codeIs("cancelled"));
  });
});
