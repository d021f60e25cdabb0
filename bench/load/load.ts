/** One stretch of load: so many calls at once, until the time or the number of calls is over. */
export interface LoadRequest {
  readonly inFlight: number;
  /** Over how many connections they are spread; those of sops have one call each, one after the other. */
  readonly connections: number;
  readonly seconds: number;
  readonly maxCalls: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly failed: number;
  /** What the first failed call met. */
  readonly firstFailure?: string;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What the program that made the load has used of CPU itself. */
  readonly driverCpuMs: number;
}

/** A cryptoKey in any project: the upstream has them all. */
export const KEY = "projects/bench/locations/europe-west1/keyRings/bench/cryptoKeys/bench";
/** A data key has 32 bytes. */
export const PLAINTEXT: Buffer = Buffer.alloc(32, 0x5a);

/** Calls until it is told to stop; `call` rejects where the answer was not right. */
export async function keepInFlight(request: LoadRequest, call: () => Promise<void>): Promise<LoadResult> {
  const latencies: number[] = [];
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const endMs = startedMs + request.seconds * 1_000;
  let begun = 0;
  let failed = 0;
  let firstFailure: string | undefined;
  const lane = async () => {
    while (begun < request.maxCalls && performance.now() < endMs) {
      begun += 1;
      const sentMs = performance.now();
      try {
        await call();
        latencies.push(performance.now() - sentMs);
      } catch (thrown) {
        failed += 1;
        firstFailure ??= thrown instanceof Error ? thrown.message : String(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: request.inFlight }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return {
    calls: latencies.length,
    failed,
    ...(firstFailure === undefined ? {} : { firstFailure: firstFailure.slice(0, 300) }),
    seconds: (performance.now() - startedMs) / 1_000,
    ...percentiles(latencies),
    driverCpuMs: (user + system) / 1_000,
  };
}

export function percentiles(latenciesMs: readonly number[]): Pick<LoadResult, "p50Ms" | "p99Ms"> {
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Lets a program of the bench be told over its channel what load to make; it ends with the channel. */
export function serveLoad(make: (request: LoadRequest) => Promise<LoadResult>): void {
  process.on("message", (request: LoadRequest) => {
    make(request).then(
      (result) => process.send?.({ result }),
      (thrown: unknown) => process.send?.({ error: thrown instanceof Error ? thrown.message : String(thrown) }),
    );
  });
  process.once("disconnect", () => process.exit(0));
  process.stdout.write("ready\n");
}
