import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { crc32c } from "../../src/kms/crc32c.ts";
import type { Attempt, KmsRequest, KmsTransport, TransportOutcome } from "../../src/kms/transport.ts";
import type { AttemptFailure, Retry } from "../../src/kms/upstream-error.ts";
import { verifyAnswer } from "../../src/kms/verify.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../src/routing/resource-name.ts";
import {
  decryptReply,
  encryptReply,
  errorReply,
  type KmsReply,
  type KmsRequest as Received,
  startKmsEndpoint,
} from "../fakes/kms-endpoint.ts";

export interface TransportSetUp {
  readonly endpoint: string;
  readonly quotaProject: string | undefined;
  readonly userAgent: string;
  /** PEM. */
  readonly ca: readonly string[] | undefined;
}

export type OpenTransport = (setUp: TransportSetUp) => Promise<KmsTransport>;

export const KEY: CryptoKeyName = parseCryptoKeyName("projects/p/locations/global/keyRings/r/cryptoKeys/k");
const DATA_KEY = randomBytes(32);
const CIPHERTEXT = randomBytes(80);
const TOKEN = "the-token-itself";

export function requestOf(operation: KmsRequest["operation"], payload: Uint8Array = DATA_KEY): KmsRequest {
  return { operation, key: KEY, payload, payloadCrc32c: crc32c(payload) };
}

export function attemptWith(changes: Partial<Attempt> = {}): Attempt {
  const token = {
    accessToken: new Secret(TOKEN),
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    principal: "robot@p.iam.gserviceaccount.com",
    steps: [],
    generation: 1,
  };
  return { token, tokenIsFresh: false, reason: undefined, signal: new AbortController().signal, ...changes };
}

function failureOf(outcome: TransportOutcome): AttemptFailure {
  if (outcome.ok) assert.fail("it did not fail");
  return outcome;
}

/** What every way to Cloud KMS promises; call it with how to open one. */
export function testKmsTransport(kind: string, open: OpenTransport): void {
  async function setUp(t: TestContext, ...orders: readonly ((request: Received) => KmsReply)[]) {
    const endpoint = await startKmsEndpoint(...orders);
    const userAgent = "sops-keyd/test";
    const transport = await open({ endpoint: endpoint.url, quotaProject: "billing", userAgent, ca: undefined });
    t.after(async () => {
      await transport.close();
      endpoint.close();
    });
    const fail = async (): Promise<AttemptFailure> =>
      failureOf(await transport.send(requestOf("encrypt"), attemptWith()));
    return { endpoint, transport, fail };
  }

  describe(`Cloud KMS by ${kind}`, () => {
    test("is asked for the key with payload and checksum, and its answer comes back whole", async (t) => {
      const { endpoint, transport } = await setUp(
        t,
        (request) => encryptReply(request, CIPHERTEXT),
        () => decryptReply(DATA_KEY),
      );
      const encrypt = requestOf("encrypt");
      const encrypted = await transport.send(encrypt, attemptWith());
      assert.ok(encrypted.ok);
      assert.deepEqual(encrypted.answer, {
        name: `${KEY}/cryptoKeyVersions/1`,
        payload: CIPHERTEXT,
        payloadCrc32c: crc32c(CIPHERTEXT),
        confirmsRequest: true,
      });
      const decrypt = requestOf("decrypt", CIPHERTEXT);
      const decrypted = await transport.send(decrypt, attemptWith());
      assert.ok(decrypted.ok);
      assert.deepEqual(verifyAnswer(decrypted.answer, decrypt).payload, DATA_KEY);
      const [first, second] = endpoint.requests;
      assert.deepEqual([first?.path, second?.path], [`/v1/${KEY}:encrypt`, `/v1/${KEY}:decrypt`]);
      assert.equal(first?.body["plaintext"], DATA_KEY.toString("base64"));
      assert.equal(first?.body["plaintextCrc32c"], String(crc32c(DATA_KEY)));
      assert.equal(second?.body["ciphertextCrc32c"], String(crc32c(CIPHERTEXT)));
    });

    test("gets the token, the quota project, the reason and who asks as headers", async (t) => {
      const { endpoint, transport } = await setUp(t, (request) => encryptReply(request, CIPHERTEXT));
      await transport.send(requestOf("encrypt"), attemptWith({ reason: "call 4711" }));
      await transport.send(requestOf("encrypt"), attemptWith());
      const [first, second] = endpoint.requests.map(({ headers }) => headers);
      assert.equal(first?.["authorization"], `Bearer ${TOKEN}`);
      assert.equal(first?.["x-goog-user-project"], "billing");
      assert.equal(first?.["x-goog-request-reason"], "call 4711");
      assert.match(String(first?.["user-agent"]), /^sops-keyd\/test\b/);
      assert.equal(second?.["x-goog-request-reason"], undefined);
    });

    const REFUSALS: readonly (readonly [number, string, ErrorCode, Retry, boolean])[] = [
      [400, "INVALID_ARGUMENT", "payload_invalid", "never", false],
      [400, "FAILED_PRECONDITION", "kms_precondition_failed", "never", false],
      [401, "UNAUTHENTICATED", "kms_permission_denied", "with_fresh_token", false],
      [403, "PERMISSION_DENIED", "kms_permission_denied", "never", false],
      [404, "NOT_FOUND", "key_not_found", "never", false],
      [429, "RESOURCE_EXHAUSTED", "kms_throttled", "when_admitted", false],
      [500, "INTERNAL", "kms_unavailable", "never", true],
      [503, "UNAVAILABLE", "kms_unavailable", "with_backoff", true],
      [504, "DEADLINE_EXCEEDED", "kms_unavailable", "with_backoff", true],
    ];
    for (const [http, status, code, retry, endpointIsIll] of REFUSALS) {
      test(`that answers ${http} ${status} is told as ${code}, in its own words`, async (t) => {
        const { transport, fail } = await setUp(t, () => errorReply(http, status, "what Google\nsays"));
        const failure = await fail();
        assert.deepEqual([failure.error.code, failure.retry, failure.endpointIsIll], [code, retry, endpointIsIll]);
        const { problem } = failure.error.detail;
        assert.ok(problem.startsWith(`Cloud KMS at ${transport.host} answered`), problem);
        assert.ok(problem.endsWith(`${status}: what Google?says`), problem);
        assert.ok(!JSON.stringify(failure).includes(TOKEN));
      });
    }

    test("that asks to wait is waited for as long", async (t) => {
      const { fail } = await setUp(t, () => errorReply(429, "RESOURCE_EXHAUSTED", "slow down", 7));
      assert.equal((await fail()).retryAfterMs, 7_000);
    });

    test("that complains of our checksum got a damaged request, which is worth another try", async (t) => {
      const { fail } = await setUp(t, () =>
        errorReply(400, "INVALID_ARGUMENT", "The checksum in field plaintext_crc32c did not match the data."),
      );
      const { error, retry } = await fail();
      assert.deepEqual([error.code, retry], ["integrity_failed", "with_backoff"]);
    });

    const DAMAGE: Readonly<Record<string, object>> = {
      "another key's name": { name: `${KEY}-other/cryptoKeyVersions/1` },
      "no name": { name: "" },
      "a checksum that does not fit": { ciphertextCrc32c: "1" },
      "no checksum": { ciphertextCrc32c: undefined },
      "one bit flipped": { ciphertext: randomBytes(80).toString("base64") },
      "no ciphertext": { ciphertext: "", ciphertextCrc32c: "0" },
      "no word on our checksum": { verifiedPlaintextCrc32c: false },
    };
    for (const [what, changes] of Object.entries(DAMAGE)) {
      test(`that answers with ${what} is not believed`, async (t) => {
        const { transport } = await setUp(t, (request) => encryptReply(request, CIPHERTEXT, changes));
        const request = requestOf("encrypt");
        const outcome = await transport.send(request, attemptWith());
        assert.ok(outcome.ok);
        assert.throws(() => verifyAnswer(outcome.answer, request), { code: "integrity_failed" });
      });
    }

    const JUNK: Readonly<Record<string, KmsReply>> = {
      "a web page": { text: "<!doctype html><title>Sign in</title>" },
      "more than any answer can be": { body: { ciphertext: randomBytes(300_000).toString("base64") } },
    };
    for (const [what, reply] of Object.entries(JUNK)) {
      test(`that answers with ${what} sent no answer, and may be asked again`, async (t) => {
        const { fail } = await setUp(t, () => reply);
        const { error, retry } = await fail();
        assert.deepEqual([error.code, retry], ["integrity_failed", "with_backoff"]);
        assert.ok(!error.message.includes("doctype"));
      });
    }

    test("with a proxy in between that answers 502 is unavailable for now", async (t) => {
      const { fail } = await setUp(t, () => ({ text: "bad gateway", status: 502 }));
      const { error, retry, endpointIsIll } = await fail();
      assert.deepEqual([error.code, retry, endpointIsIll], ["kms_unavailable", "with_backoff", true]);
      assert.match(error.message, /502/);
    });

    for (const rude of ["reset", "truncate"] as const) {
      test(`that answers with a ${rude} could not be reached, and is reached the next time`, async (t) => {
        const { transport, fail } = await setUp(
          t,
          () => rude,
          (request) => encryptReply(request, CIPHERTEXT),
        );
        const { error, retry, endpointIsIll } = await fail();
        assert.deepEqual([error.code, retry, endpointIsIll], ["kms_unavailable", "with_backoff", true]);
        assert.match(error.message, /could not be reached/);
        assert.ok((await transport.send(requestOf("encrypt"), attemptWith())).ok);
      });
    }

    test("that is not there could not be reached, and the message says so in one word", async (t) => {
      const { endpoint, fail } = await setUp(t, () => "hang");
      endpoint.close();
      const { error, retry, endpointIsIll } = await fail();
      assert.deepEqual([error.code, retry, endpointIsIll], ["kms_unavailable", "with_backoff", true]);
      assert.match(error.message, /could not be reached: ECONNREFUSED/);
    });

    test("that hangs is let go by the signal, with its reason: it notices, and other calls go on", async (t) => {
      const { endpoint, transport } = await setUp(
        t,
        () => "hang",
        (request) => encryptReply(request, CIPHERTEXT),
      );
      const controller = new AbortController();
      const hanging = transport.send(requestOf("encrypt"), attemptWith({ signal: controller.signal }));
      await endpoint.asked(1);
      controller.abort(new Error("enough"));
      await assert.rejects(hanging, /^Error: enough$/);
      await endpoint.abandoned();
      assert.ok((await transport.send(requestOf("encrypt"), attemptWith())).ok);
    });

    test("is not asked under a signal that has fired", async (t) => {
      const { endpoint, transport } = await setUp(t, () => "hang");
      const signal = AbortSignal.abort(new Error("too late"));
      await assert.rejects(transport.send(requestOf("encrypt"), attemptWith({ signal })), /^Error: too late$/);
      assert.equal(endpoint.requests.length, 0);
    });

    test("is probed without a token, and any answer will do", async (t) => {
      const { endpoint, transport } = await setUp(t, () => errorReply(401, "UNAUTHENTICATED", "who are you"));
      await transport.probe(new AbortController().signal);
      assert.equal(endpoint.requests[0]?.headers.authorization, undefined);
    });

    test("that is not there fails its probe, and a hanging one ends with the signal", async (t) => {
      const { endpoint, transport } = await setUp(t, () => "hang");
      const controller = new AbortController();
      const hanging = transport.probe(controller.signal);
      await endpoint.asked(1);
      controller.abort(new Error("enough"));
      await assert.rejects(hanging, /^Error: enough$/);
      endpoint.close();
      await assert.rejects(transport.probe(new AbortController().signal));
    });

    test("fails what is in flight when it is closed, and what comes after", async (t) => {
      const { endpoint, transport, fail } = await setUp(t, () => "hang");
      const hanging = fail();
      await endpoint.asked(1);
      await transport.close();
      assert.equal((await hanging).error.code, "kms_unavailable");
      assert.equal((await fail()).error.code, "kms_unavailable");
    });

    test("answers many at once, each its own", async (t) => {
      const { transport } = await setUp(t, ({ body }) => decryptReply(Buffer.from(body["ciphertext"] ?? "", "base64")));
      const payloads = Array.from({ length: 200 }, () => randomBytes(32));
      const answers = await Promise.all(
        payloads.map((payload) => transport.send(requestOf("decrypt", payload), attemptWith())),
      );
      assert.deepEqual(
        answers.map((outcome) => outcome.ok && outcome.answer.payload),
        payloads,
      );
    });
  });
}
