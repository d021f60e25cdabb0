import type { Writable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import type { Sink } from "./sink.ts";
import { createTrouble } from "./trouble.ts";

/** What a reader that has stopped may leave in our memory. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

/** Copies the log's lines to standard output. Where its reader stops, lines are dropped; nothing waits for it. */
export function createStdoutSink(stream: Writable, clock: Clock, warn: (message: string) => void): Sink {
  const name = "standard output";
  const trouble = createTrouble(name, clock, warn);
  return {
    name,
    publish(lines) {
      if (stream.destroyed) trouble.tell("it was closed", lines.length);
      else if (stream.writableLength > MAX_QUEUED_BYTES) trouble.tell("its reader takes no more", lines.length);
      else stream.write(`${lines.join("\n")}\n`);
    },
    close: () => Promise.resolve(),
  };
}
