import { hash } from "node:crypto";
import { type JsonObject, parseJsonObject } from "../core/json.ts";

/**
 * The chain. A line of the log is
 *
 *     {"seq":N,"prev":"P",…,"hash":"H"}
 *
 * where P is H of the line before (64 zeros before the first) and H is the SHA-256, in hex, of the line's own bytes up
 * to but not including `,"hash":"`. The bytes are those of the file: nothing is parsed and written again to check them.
 */
export interface ChainPosition {
  /** Of the last record; 0 before the first. */
  readonly seq: number;
  /** Its hash. */
  readonly hash: string;
}

export const CHAIN_START: ChainPosition = { seq: 0, hash: "0".repeat(64) };

/** No line is longer; what goes into one is bounded so that it never comes near. */
export const MAX_LINE_BYTES = 65_536;

/** `,"hash":"…"}` */
const SEAL_LENGTH = 9 + 64 + 2;
const SEAL = /^,"hash":"([0-9a-f]{64})"\}$/;
const HEAD = /^\{"seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})",/;

/** A record as the next line of the chain. @param fields JSON object */
export function sealLine(
  position: ChainPosition,
  fields: string,
): { readonly line: string; readonly next: ChainPosition } {
  const seq = position.seq + 1;
  const body = `{"seq":${seq},"prev":"${position.hash}",${fields.slice(1, -1)}`;
  const sealed = hash("sha256", body, "hex");
  return { line: `${body},"hash":"${sealed}"}`, next: { seq, hash: sealed } };
}

/**
 * The same, with a signature as the last field before the hash. What is signed is the line up to but not including
 * `,"signature":"`, and with it, by `prev`, all lines before.
 */
export function sealSignedLine(
  position: ChainPosition,
  fields: string,
  sign: (text: string) => string,
): { readonly line: string; readonly next: ChainPosition } {
  const text = `{"seq":${position.seq + 1},"prev":"${position.hash}",${fields.slice(1, -1)}`;
  return sealLine(position, `${fields.slice(0, -1)},"signature":"${sign(text)}"}`);
}

const SIGNATURE = /,"signature":"([A-Za-z0-9+/]{86}==)"$/;

/** @param body of a line that was sealed with a signature */
export function splitSignature(body: string): { readonly text: string; readonly signature: string } | undefined {
  const found = SIGNATURE.exec(body);
  return found === null ? undefined : { text: body.slice(0, found.index), signature: found[1] ?? "" };
}

export interface ChainedLine extends ChainPosition {
  readonly prev: string;
  /** What the hash is of; a character for each byte. */
  readonly body: string;
  /** Whether the hash is right. */
  readonly intact: boolean;
}

/** @returns undefined where the line has not the form of a record. @param line without its line break */
export function parseChainedLine(line: Uint8Array): ChainedLine | undefined {
  // The bytes themselves are hashed: what is decoded first may be the same text for other bytes.
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const text = bytes.toString("latin1");
  const head = HEAD.exec(text);
  const seal = SEAL.exec(text.slice(-SEAL_LENGTH));
  if (head === null || seal === null) return undefined;
  const [, seq = "", prev = ""] = head;
  const [, stated = ""] = seal;
  const intact = hash("sha256", bytes.subarray(0, -SEAL_LENGTH), "hex") === stated;
  return { seq: Number(seq), prev, hash: stated, body: text.slice(0, -SEAL_LENGTH), intact };
}

/** The fields of a line, as plain data; undefined where it is not one JSON object. */
export function parseFields(line: Uint8Array): JsonObject | undefined {
  return parseJsonObject(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8"));
}
