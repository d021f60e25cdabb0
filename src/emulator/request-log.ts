import { toPrintableLine } from "../core/errors.ts";
import type { Endpoint } from "./routes.ts";

/** What can be known of a request without showing any token, key or payload. */
export interface LoggedRequest {
  /** RFC 3339. */
  readonly time: string;
  readonly endpoint: Endpoint | "unknown";
  readonly resource?: string;
  readonly principal?: string;
  /** HTTP status, or 0 where a fault kept the answer back. */
  readonly status: number;
  /** The fault that shaped the answer. */
  readonly fault?: string;
}

export interface RequestReport {
  /** All requests since the last reset, also those that the list no longer holds. */
  readonly counts: Readonly<Record<string, number>>;
  /** Oldest first, at most {@link MAX_LOGGED_REQUESTS}. */
  readonly requests: readonly LoggedRequest[];
}

export interface RequestLog {
  add(entry: LoggedRequest): void;
  report(): RequestReport;
  reset(): void;
}

export const MAX_LOGGED_REQUESTS = 1000;

export function createRequestLog(): RequestLog {
  const counts = new Map<string, number>();
  const requests: LoggedRequest[] = [];
  return {
    add(entry) {
      counts.set(entry.endpoint, (counts.get(entry.endpoint) ?? 0) + 1);
      requests.push(entry.resource === undefined ? entry : { ...entry, resource: toPrintableLine(entry.resource) });
      if (requests.length > MAX_LOGGED_REQUESTS) requests.shift();
    },
    report: () => ({ counts: Object.fromEntries(counts), requests: [...requests] }),
    reset() {
      counts.clear();
      requests.length = 0;
    },
  };
}
