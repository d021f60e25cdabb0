import type { Admit } from "../access/admission.ts";
import type { Operation, RuleConfig } from "../config/config.ts";
import { base64Length, decodeBase64 } from "../core/base64.ts";
import type { Clock } from "../core/clock.ts";
import { createDeadline } from "../core/deadline.ts";
import { KeyServiceError, toKeyServiceError } from "../core/errors.ts";
import type { TokenHolder } from "../credentials/token.ts";
import type { KmsCall, KmsClient } from "../kms/kms-client.ts";
import { parseCryptoKeyName } from "../routing/resource-name.ts";
import type { CallContext, KeyAnswer, KeyBackend } from "./backend.ts";
import type { GcpKmsKey } from "./sops-key.ts";

/** Where a rule leads: whose token, and which way to Cloud KMS. */
export interface Route extends RuleConfig {
  readonly tokens: TokenHolder;
  readonly client: KmsClient;
}

/** Cloud KMS takes 64 KiB (8 KiB in an HSM); a data key has 32 bytes, or 33 as a Shamir share. */
const MAX_PLAINTEXT_BYTES = 64 * 1024;
/** Cloud KMS adds well under 200 bytes to a plaintext. */
const MAX_CIPHERTEXT_BYTES = MAX_PLAINTEXT_BYTES + 1024;

type Work = (kms: KmsClient, call: KmsCall) => Promise<Omit<KeyAnswer, "rule" | "source">>;

/** `GcpKmsKey`: name, then rule, policy and limits, then the payload, and only then a token and Cloud KMS. */
export function createGcpKmsBackend(admit: Admit<Route>, clock: Clock): KeyBackend<GcpKmsKey> {
  async function perform(
    operation: Operation,
    resourceId: string,
    context: CallContext,
    work: Work,
  ): Promise<KeyAnswer> {
    const key = parseCryptoKeyName(resourceId);
    const { caller, listenerIsLocal, signal } = context;
    using admission = await admit({ key, operation, caller, listenerIsLocal }, signal);
    const route = admission.rule;
    const { client } = route;
    const tokens = route.tokens.forCaller?.(context.callerToken) ?? route.tokens;
    const place = { rule: route.name, source: tokens.name };
    const { approvedBy } = admission;
    using deadline = createDeadline(
      clock,
      route.kms.deadlineMs,
      `the call took longer than ${route.kms.deadlineMs / 1_000} s`,
      signal,
    );
    try {
      context.audit?.allowed(route.name, tokens.name, approvedBy);
      const approval = approvedBy === undefined ? {} : { approvedBy };
      return {
        ...place,
        ...approval,
        ...(await work(client, { key, tokens, reason: context.reason, signal: deadline.signal })),
      };
    } catch (thrown) {
      throw toKeyServiceError(thrown).within({ key, ...place });
    }
  }

  return {
    encrypt: (key, plaintext, context) =>
      perform("encrypt", key.resourceId, context, async (kms, call) => {
        checkSize(plaintext, MAX_PLAINTEXT_BYTES, "data key");
        const { ciphertext, ...facts } = await kms.encrypt(plaintext, call);
        // SOPS up to 3.8 stored base64 text and every later release still does, so what the wire calls
        // ciphertext is ASCII. Raw KMS bytes would make files that sops cannot open.
        return { ...facts, bytes: Buffer.from(ciphertext.toString("base64"), "latin1") };
      }),
    decrypt: (key, ciphertext, context) =>
      perform("decrypt", key.resourceId, context, async (kms, call) => {
        const { plaintext, ...facts } = await kms.decrypt(decodeCiphertext(ciphertext), call);
        return { ...facts, bytes: plaintext };
      }),
  };
}

function decodeCiphertext(wire: Buffer): Buffer {
  checkSize(wire, base64Length(MAX_CIPHERTEXT_BYTES), "encrypted data key");
  const bytes = decodeBase64(wire.toString("latin1"));
  if (bytes !== undefined) return bytes;
  throw new KeyServiceError("payload_invalid", {
    problem: "the encrypted data key is not standard base64",
    remedy: "the `enc` of this key in the sops file is damaged: restore the file from before it was changed",
  });
}

function checkSize(payload: Buffer, maxBytes: number, what: string): void {
  if (payload.length > 0 && payload.length <= maxBytes) return;
  const problem =
    payload.length === 0
      ? `the ${what} is empty`
      : `the ${what} has ${payload.length} bytes, more than the ${maxBytes} that Cloud KMS takes`;
  throw new KeyServiceError("payload_invalid", { problem, remedy: "check the file, or the sops that made it" });
}
