import assert from "node:assert/strict";
import { type ErrorCode, KeyServiceError } from "../../../src/core/errors.ts";

/**
 * Stands for a secret wherever an input may hold one. It has characters that no identifier has: codes and field names may
 * be shown.
 */
export const CANARY = "C4n4ry/s3cr3t+T0ken";

const MAX_MESSAGE_LENGTH = 1500;

/** Control characters, and those that change the direction of text or begin a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/**
 * An error that a user may be shown: of a documented code, printable, bounded, without a secret. Anything else is a find.
 *
 * @returns its kind, for behaviours
 */
export function expectRefusal(thrown: unknown, codes: readonly ErrorCode[]): string {
  if (!(thrown instanceof KeyServiceError)) throw thrown;
  // What nobody foresaw tells more than the error that is made of it.
  if (thrown.code === "internal" && thrown.cause !== undefined) throw thrown.cause;
  assert.ok(codes.includes(thrown.code), `${thrown.code} is none of ${codes.join(", ")}: ${thrown.message}`);
  expectPublic(thrown.message.replaceAll("\n", " "));
  return `${thrown.code} ${kindOf(thrown.detail.problem)}`;
}

/** One line that may stand in a terminal and a log. */
export function expectPublic(text: string): void {
  if (UNPRINTABLE.test(text)) assert.fail(`not printable: ${JSON.stringify(text)}`);
  if (text.length > MAX_MESSAGE_LENGTH) assert.fail(`${text.length} characters: ${text.slice(0, 200)}`);
  if (text.includes(CANARY)) assert.fail(`holds a secret: ${text}`);
}

/** A message without what differs from input to input. */
export function kindOf(message: string): string {
  return message.replace(/".*"|\d+/gs, "#").slice(0, 120);
}
