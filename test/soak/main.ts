/** The soak: `npm run soak`. See USAGE in options.ts. */
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { runCallers } from "./callers.ts";
import { parseOptions, type SoakOptions, USAGE } from "./options.ts";
import { createOutcomes, type Outcomes } from "./outcomes.ts";
import { renderProgress, renderReport, type SoakReport } from "./report.ts";
import { type SoakedServer, startSoakedServer } from "./server.ts";
import { runTroubles } from "./troubles.ts";
import { findProblems, findTrends, type Sample } from "./verdict.ts";

const MS_PER_MINUTE = 60_000;
const BYTES_PER_MIB = 1024 ** 2;
/** Often enough for a plot, however long it takes. */
const SAMPLES = 120;
const SHORTEST_PERIOD_MS = 3_000;

async function soak(options: SoakOptions): Promise<SoakReport> {
  await using server = await startSoakedServer();
  const outcomes = createOutcomes();
  const ending = new AbortController();
  const { signal } = ending;
  process.once("SIGINT", () => ending.abort());
  const { address } = server;
  const callers = runCallers({ ...options, address, outcomes, signal });
  const troubles = runTroubles(server, signal);
  const samples = await sample(server, outcomes, options.minutes * MS_PER_MINUTE, signal);
  ending.abort();
  await Promise.all([callers, troubles]);
  const exitCode = await server.stop();
  const trends = findTrends(samples);
  const problems = findProblems(trends, outcomes.breaches, exitCode);
  if (exitCode !== 0) process.stderr.write(`${server.lastWords()}\n`);
  const minutes = (samples.at(-1)?.seconds ?? 0) / 60;
  return { minutes, samples, trends, counts: outcomes.counts, calls: outcomes.calls, problems };
}

/** Until the time is over, somebody breaks it off, or the server has ended. */
async function sample(
  server: SoakedServer,
  outcomes: Outcomes,
  durationMs: number,
  signal: AbortSignal,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const startedMs = performance.now();
  const periodMs = Math.max(SHORTEST_PERIOD_MS, durationMs / SAMPLES);
  while (!signal.aborted && !server.hasEnded && performance.now() - startedMs < durationMs) {
    await pause(periodMs, undefined, { signal }).catch(() => {});
    if (server.hasEnded) break;
    const { rssBytes, heapBytes, descriptors, eventLoopP99Ms } = await server.read();
    const next: Sample = {
      seconds: (performance.now() - startedMs) / 1_000,
      calls: outcomes.calls,
      rssMiB: rssBytes / BYTES_PER_MIB,
      heapMiB: heapBytes / BYTES_PER_MIB,
      descriptors,
      eventLoopP99Ms,
    };
    samples.push(next);
    process.stderr.write(`${renderProgress(next)}\n`);
  }
  return samples;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
  } else {
    const report = await soak(options);
    writeFileSync(options.jsonFile, `${JSON.stringify(report, undefined, 1)}\n`);
    process.stdout.write(`${renderReport(report)}\nresults: ${options.jsonFile}\n`);
    if (report.problems.length > 0) process.exitCode = 1;
  }
} catch (thrown) {
  process.stderr.write(`soak: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
