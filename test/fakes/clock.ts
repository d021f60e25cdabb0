import type { Clock } from "../../src/core/clock.ts";

/** A clock that stands still until a test turns it. */
export interface FakeClock extends Clock {
  /** Both clocks go forward; timers that fall due are called in order, each at its own time. */
  advance(ms: number): void;
  /** As {@link advance}, but promises settle before the first timer and after each one: retry loops get to run. */
  pass(ms: number): Promise<void>;
  /** The wall clock alone jumps, either way, as NTP or an operator makes it. No timer is called. */
  jumpWall(ms: number): void;
  /** The machine sleeps: the wall clock goes on, the monotonic one and its timers stand still, as on Linux. */
  suspend(ms: number): void;
  /** How many timers wait to be called. */
  readonly pendingTimers: number;
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export interface FakeClockOptions {
  /** Wall clock at the start, milliseconds since the Unix epoch. */
  readonly startMs?: number;
}

/** 2026-01-01T00:00:00Z, so that tests print readable times. */
const DEFAULT_START_MS = Date.UTC(2026, 0, 1);

export function createFakeClock(options: FakeClockOptions = {}): FakeClock {
  let wallMs = options.startMs ?? DEFAULT_START_MS;
  // Not zero: code that takes a monotonic time for "never" or "falsy" is to fail in tests.
  let monotonicMs = 1000;
  const timers = new Set<Timer>();

  const moveTo = (atMs: number) => {
    wallMs += atMs - monotonicMs;
    monotonicMs = atMs;
  };
  /** Moves to the next timer due by `endMs` and calls it; false where there is none. */
  const callNext = (endMs: number): boolean => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    if (next === undefined) return false;
    timers.delete(next);
    moveTo(Math.max(next.dueMs, monotonicMs));
    next.callback();
    return true;
  };

  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    schedule(delayMs, callback) {
      const timer: Timer = { dueMs: monotonicMs + Math.max(0, delayMs), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const endMs = monotonicMs + ms;
      while (callNext(endMs));
      moveTo(endMs);
    },
    async pass(ms) {
      const endMs = monotonicMs + ms;
      await settle();
      while (callNext(endMs)) await settle();
      moveTo(endMs);
      await settle();
    },
    jumpWall(ms) {
      wallMs += ms;
    },
    suspend(ms) {
      wallMs += ms;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}

/** Lets every promise reaction that is ready run, and those that they make ready in turn. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
