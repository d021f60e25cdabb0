/**
 * Loaded into the server's process before its own code, by --import: tells over the channel what that process holds.
 * Heap is what is left after a collection, so that its slope is not that of garbage.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Reading {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** 99th percentile since the last reading, milliseconds. */
  readonly eventLoopP99Ms: number;
}

const NS_PER_MS = 1e6;
const RESOLUTION_MS = 10;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

process.on("message", () => {
  const eventLoopP99Ms = Math.max(0, delays.percentile(99) / NS_PER_MS - RESOLUTION_MS);
  const rssBytes = process.memoryUsage.rss();
  collectGarbage();
  const reading: Reading = { rssBytes, heapBytes: process.memoryUsage().heapUsed, eventLoopP99Ms };
  process.send?.(reading);
  // The collection's own pause does not count.
  delays.reset();
});
// The server ends when its work does, whoever listens.
process.channel?.unref();
