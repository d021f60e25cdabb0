import { toPrintableLine } from "../core/errors.ts";
import type { Endpoint } from "./routes.ts";

/** What can be known of a request without showing any token, key or payload. */
export interface LoggedRequest {
  /** RFC 3339. */
  readonly time: string;
  readonly endpoint: Endpoint | "unknown";
  readonly resource?: string;
  readonly principal?: string;
  /** What it gave as `x-goog-request-reason`: Google's audit log has it as `requestMetadata.requestAttributes.reason`. */
  readonly reason?: string;
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
      const { resource, reason } = entry;
      requests.push({
        ...entry,
        ...(resource !== undefined && { resource: toPrintableLine(resource) }),
        ...(reason !== undefined && { reason: toPrintableLine(reason) }),
      });
      if (requests.length > MAX_LOGGED_REQUESTS) requests.shift();
    },
    report: () => ({ counts: Object.fromEntries(counts), requests: [...requests] }),
    reset() {
      counts.clear();
      requests.length = 0;
    },
  };
}
