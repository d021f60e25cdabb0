import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultEffect } from "../../src/emulator/faults.ts";
import { type SoakedServer, TROUBLED } from "./server.ts";

const EFFECTS: readonly FaultEffect[] = [
  { kind: "latency", ms: 700 },
  { kind: "hang" },
  { kind: "reset" },
  { kind: "truncate" },
  { kind: "corrupt" },
  { kind: "wrong-crc" },
  { kind: "empty" },
  { kind: "html", code: 502 },
  ...[401, 403, 429, 500, 503].map((code) => ({ kind: "status", code }) as const),
  { kind: "status", code: 503, retryAfter: 1 },
];
const FAULT_MS = 2_500;
const BETWEEN_MS = 3_500;
const RELOAD_EVERY_MS = 20_000;
/** Longer than refusals of a token are remembered: one after the other is taken for more than a token that has ended. */
const EXPIRE_EVERY_MS = 75_000;

/** Faults that come and go, reloads, and tokens that end, until the signal. */
export async function runTroubles(server: SoakedServer, signal: AbortSignal): Promise<void> {
  const { admin } = server.emulator;
  await Promise.all([
    every(FAULT_MS + BETWEEN_MS, signal, async () => {
      trouble(server);
      await rest(FAULT_MS, signal);
      admin.clearFaults();
    }),
    every(RELOAD_EVERY_MS, signal, async () => server.reload()),
    // The other rule must not notice: its call is tried again with a fresh token.
    every(EXPIRE_EVERY_MS, signal, async () => void admin.expireTokens()),
  ]);
}

function trouble({ emulator: { admin } }: SoakedServer): void {
  const effect = EFFECTS[randomInt(EFFECTS.length)];
  const project = TROUBLED[randomInt(TROUBLED.length)];
  if (effect === undefined) return;
  for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
    admin.addFault({ ...effect, endpoint, resource: `projects/${project}/*` });
  }
}

async function every(periodMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    const next = rest(periodMs, signal);
    await work();
    await next;
  }
}

/** Ends early, without an error, where the soak does. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {});
}
