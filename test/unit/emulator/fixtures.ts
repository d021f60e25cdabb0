import { readFile } from "node:fs/promises";
import type { Clock } from "../../../src/core/clock.ts";
import type { Emulator } from "../../../src/emulator/emulator.ts";

/** A clock that stands still until a test turns it. */
export interface TestClock extends Clock {
  advance(byMs: number): void;
}

export function createTestClock(startMs: number = Date.UTC(2030, 0, 1)): TestClock {
  let elapsedMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    schedule(delayMs, callback) {
      const timer = { atMs: elapsedMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(byMs) {
      elapsedMs += byMs;
      const due = [...timers].filter(({ atMs }) => atMs <= elapsedMs).sort((a, b) => a.atMs - b.atMs);
      for (const timer of due) if (timers.delete(timer)) timer.callback();
    },
  };
}

export type Json = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

export interface Asked {
  readonly token?: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request from outside. */
export async function ask(
  emulator: Emulator,
  method: string,
  path: string,
  { token, body, form, headers }: Asked = {},
): Promise<Answer> {
  const payload = form === undefined ? body && JSON.stringify(body) : new URLSearchParams(form);
  const response = await fetch(`${emulator.url}${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(payload !== undefined && { body: payload }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parseObject(text) };
}

function parseObject(text: string): Json {
  return text.startsWith("{") ? (JSON.parse(text) as Json) : {};
}

/** Google's error object. */
export interface GoogleError {
  readonly code: number;
  readonly message: string;
  readonly status: string;
  readonly details: readonly Json[];
}

export function errorOf({ json }: Answer): GoogleError {
  return json["error"] as GoogleError;
}

export async function staticToken(emulator: Emulator): Promise<string> {
  return (await readFile(emulator.files.accessToken, "utf8")).trim();
}

export async function readJson(path: string): Promise<Record<string, string>> {
  return JSON.parse(await readFile(path, "utf8")) as Record<string, string>;
}

export const RING = "projects/p/locations/global/keyRings/r";

let keys = 0;

/** A key that no other test uses. */
export function freshKey(): string {
  return `${RING}/cryptoKeys/key-${++keys}`;
}

export function base64(text: string | Uint8Array): string {
  return Buffer.from(text).toString("base64");
}
