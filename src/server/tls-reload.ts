import type { TlsConfig } from "../config/tls.ts";
import type { Clock } from "../core/clock.ts";
import { describeCause } from "../core/describe-cause.ts";
import type { ReportServerEvent } from "./events.ts";
import { PemError } from "./pem.ts";
import { readTlsFiles, type TlsMaterial, validateTls } from "./tls-material.ts";

/** Keeps a listener's certificate, key and CAs as its files have them. */
export interface TlsReload {
  /** Looks at once, beside the times at which it looks anyway; resolves when it has. */
  check(): Promise<void>;
  stop(): void;
}

export interface TlsReloadOptions {
  readonly config: TlsConfig;
  readonly listener: string;
  readonly clock: Clock;
  readonly report: ReportServerEvent;
  readonly first: TlsMaterial;
  /** Uses new files, for new connections. @throws Error where TLS does not take them */
  readonly take: (next: TlsMaterial, previous: TlsMaterial) => void;
}

/**
 * Looked at rather than watched: a mounted secret changes by a symbolic link that is swapped two directories away, and
 * not every file system tells. Three small files cost nothing.
 */
const CHECK_EVERY_MS = 10_000;
const REMIND_EVERY_MS = 300_000;
/** Whoever renews does so with a third of the time left. */
const ENDING_SHARE = 0.1;

export function createTlsReload(options: TlsReloadOptions): TlsReload {
  const { config, listener, clock, report, take } = options;
  let current = options.first;
  let stopped = false;
  let cancelTimer = () => {};
  const remindBad = createReminder(clock);
  const remindEnding = createReminder(clock);

  async function look(): Promise<void> {
    try {
      const files = await readTlsFiles(config);
      if (files.hash !== current.hash) {
        const next = validateTls(files, config, clock.nowMs());
        take(next, current);
        const clientCaChanged = next.clientCa !== current.clientCa;
        current = next;
        report({ kind: "certificate_taken", listener, notAfterMs: next.notAfterMs, clientCaChanged });
      }
      remindBad(undefined);
    } catch (thrown) {
      const problem = thrown instanceof PemError ? thrown.message : describeCause(thrown);
      if (remindBad(problem)) report({ kind: "certificate_rejected", listener, problem });
    }
    lookAtEnd();
  }

  function lookAtEnd(): void {
    const { notBeforeMs, notAfterMs } = current;
    const leftMs = notAfterMs - clock.nowMs();
    const expired = leftMs <= 0;
    const isEnding = leftMs <= (notAfterMs - notBeforeMs) * ENDING_SHARE;
    if (!remindEnding(isEnding ? `${notAfterMs} ${expired}` : undefined)) return;
    report({ kind: "certificate_ending", listener, notAfterMs, expired });
  }

  // One after the other: a slow disk must not make an older look the last one.
  let looking = Promise.resolve();
  const check = () => {
    looking = looking.then(() => (stopped ? undefined : look()));
    return looking;
  };
  const schedule = () => {
    cancelTimer = clock.schedule(CHECK_EVERY_MS, () => {
      check().finally(() => {
        if (!stopped) schedule();
      });
    });
  };
  lookAtEnd();
  schedule();
  return {
    check,
    stop() {
      stopped = true;
      cancelTimer();
    },
  };
}

/** Whether to say something: when it is new, and again after a while. @returns a function; undefined: all is well */
function createReminder(clock: Clock): (what: string | undefined) => boolean {
  let said: string | undefined;
  let saidAtMs = 0;
  return (what) => {
    const isDue = what !== undefined && (what !== said || clock.monotonicMs() - saidAtMs >= REMIND_EVERY_MS);
    said = what;
    if (isDue) saidAtMs = clock.monotonicMs();
    return isDue;
  };
}
