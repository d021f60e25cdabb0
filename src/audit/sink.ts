/**
 * Where records go besides the chain's own file. It gets lines that are safe there already, and never keeps them
 * waiting: what it cannot pass on in time it drops and counts.
 */
export interface Sink {
  /** For messages: `syslog tls://logs.example.com:6514`. */
  readonly name: string;
  /** @param lines JSON, without line breaks. Must not throw, must not block. */
  publish(lines: readonly string[]): void;
  /** Sends what is queued, as far as that works within a second or two, and lets go of everything. */
  close(): Promise<void>;
}

/** How long a sink may take to send what is queued, and again to end its connection. */
export const CLOSE_TIMEOUT_MS = 2_000;
