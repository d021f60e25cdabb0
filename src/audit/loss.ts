import type { AuditEvent, LostEvent } from "./record.ts";

/** Records that were dropped and that the log does not yet tell of. */
export interface Loss {
  readonly records: number;
  /** When the first of them was made. */
  readonly since: string;
}

export interface LossCount {
  add(dropped: AuditEvent): void;
  /** What is to be told now; from then on it counts from nothing. */
  take(): Loss | undefined;
  /** It could not be told. */
  giveBack(loss: Loss | undefined): void;
}

export function createLossCount(): LossCount {
  let loss: Loss | undefined;
  return {
    add(dropped) {
      loss = { records: (loss?.records ?? 0) + 1, since: loss?.since ?? dropped.time };
    },
    take() {
      const taken = loss;
      loss = undefined;
      return taken;
    },
    giveBack(untold) {
      if (untold !== undefined) loss = { records: untold.records + (loss?.records ?? 0), since: untold.since };
    },
  };
}

export function describeLoss({ records, since }: Loss, time: string): LostEvent {
  return { event: "lost", time, records, since, problem: "they could not be written, and no more were kept" };
}
