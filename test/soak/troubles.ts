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
const EXPIRE_EVERY_MS = 45_000;
/** So long after tokens were refused one after the other, a token that has ended may not be replaced at once. */
const DOUBT_MS = 6_000;

/** Faults that come and go, reloads, and tokens that end, until the signal. */
export async function runTroubles(server: SoakedServer, signal: AbortSignal): Promise<void> {
  const { admin } = server.emulator;
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  await Promise.all([
    every(FAULT_MS + BETWEEN_MS, signal, async () => {
      const effect = trouble(server);
      await rest(FAULT_MS, signal);
      admin.clearFaults();
      if (effect?.kind === "status" && effect.code === 401) refusedAtMs = performance.now();
    }),
    every(RELOAD_EVERY_MS, signal, async () => server.reload()),
    // The other rule must not notice: its call is tried again with a fresh token.
    every(EXPIRE_EVERY_MS, signal, async () => {
      const isRefusing = admin.faults().some(({ spec }) => spec.kind === "status" && spec.code === 401);
      if (!isRefusing && performance.now() - refusedAtMs > DOUBT_MS) admin.expireTokens();
    }),
  ]);
}

function trouble({ emulator: { admin } }: SoakedServer): FaultEffect | undefined {
  const effect = EFFECTS[randomInt(EFFECTS.length)];
  const project = TROUBLED[randomInt(TROUBLED.length)];
  if (effect === undefined) return undefined;
  for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
    admin.addFault({ ...effect, endpoint, resource: `projects/${project}/*` });
  }
  return effect;
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
