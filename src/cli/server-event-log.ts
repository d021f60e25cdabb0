import type { AuditTrail } from "../audit/trail.ts";
import type { Clock } from "../core/clock.ts";
import { toPrintableLine } from "../core/errors.ts";
import { describeTlsEvent, type ReportServerEvent } from "../server/events.ts";
import type { Log } from "../telemetry/log.ts";

const WINDOW_MS = 60_000;
/** Of refused connections, for each window: anybody can make them, and a disk is finite. */
const MAX_REFUSALS = 20;

/**
 * Logs what happens at listeners, and puts refused connections on record. Those beyond a bound are counted, and told in
 * one line.
 *
 * @param note for the audit
 */
export function createServerEventLog(log: Log, note: AuditTrail["note"], clock: Clock): ReportServerEvent {
  let windowEndsAtMs = 0;
  let refusals = 0;

  /** Whether there is room for one more; says first what the last window left out. */
  function admitRefusal(listener: string): boolean {
    const nowMs = clock.monotonicMs();
    if (nowMs >= windowEndsAtMs) {
      const unsaid = refusals - MAX_REFUSALS;
      if (unsaid > 0) tellRefusal(listener, `${unsaid} more in the last minute or before`, {});
      windowEndsAtMs = nowMs + WINDOW_MS;
      refusals = 0;
    }
    refusals += 1;
    return refusals <= MAX_REFUSALS;
  }

  function tellRefusal(listener: string, reason: string, from: { readonly peer?: string }): void {
    log.warn(`connection refused: ${toPrintableLine(reason)}`, { listener, ...from });
    const problem = from.peer === undefined ? reason : `${from.peer}: ${reason}`;
    note({ event: "connection_refused", listener, problem: toPrintableLine(problem) });
  }

  return (event) => {
    const { listener } = event;
    if (event.kind !== "connection_refused") {
      const { level, message } = describeTlsEvent(event);
      log[level](toPrintableLine(message), { listener });
    } else if (admitRefusal(listener)) tellRefusal(listener, event.reason, { peer: event.peer });
  };
}
