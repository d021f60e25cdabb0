import { createRandom } from "../../fakes/random.ts";
import { mutate } from "./mutate.ts";
import { FuzzFind, type OpenTarget, type Run, type Target } from "./target.ts";

export interface FuzzOptions {
  readonly corpus: readonly Buffer[];
  /** The same seed and corpus give the same inputs. */
  readonly seed: number;
  /** Mutated inputs, besides the corpus; it ends with whichever bound comes first. */
  readonly executions: number;
  readonly durationMs: number;
  /** Told of an input before it is run. */
  readonly onInput?: (input: Buffer) => void;
  /** Told of an input that made the code do what none before it did. */
  readonly onNew?: (input: Buffer, behaviour: string) => void;
}

export interface FuzzResult {
  readonly executions: number;
  /** How many kinds of behaviour were seen. */
  readonly behaviours: number;
}

/** More are not kept: a target whose kinds of behaviour have no end would fill the memory. */
const MAX_POOL = 4000;

/**
 * Runs the corpus, and then what mutations make of it and of each input that showed something new.
 *
 * @throws FuzzFind at the first input after which something does not hold
 */
export async function fuzz(target: Target, opened: OpenTarget, options: FuzzOptions): Promise<FuzzResult> {
  const { seed, onInput = () => {}, onNew = () => {} } = options;
  const random = createRandom(seed);
  const pool = [Buffer.alloc(0), ...options.corpus, ...(opened.samples ?? [])];
  const seen = new Set<string>();
  let executions = 0;

  const execute = async (input: Buffer): Promise<string> => {
    onInput(input);
    // The code may write to its input.
    return await attempt(opened.run, Buffer.from(input), () => `${target.name}, execution ${executions}, seed ${seed}`);
  };

  for (const input of pool) seen.add(await execute(input));
  const mutating = { random, pool, seeds: pool.length, dictionary: target.dictionary, maxBytes: target.maxBytes };
  const endMs = performance.now() + options.durationMs;
  while (executions < options.executions && (executions % 64 !== 0 || performance.now() < endMs)) {
    const input = mutate(mutating);
    executions += 1;
    const behaviour = await execute(input);
    if (seen.has(behaviour) || pool.length >= MAX_POOL) continue;
    seen.add(behaviour);
    pool.push(input);
    onNew(input, behaviour);
  }
  return { executions: executions + options.corpus.length, behaviours: seen.size };
}

async function attempt(run: Run, input: Buffer, where: () => string): Promise<string> {
  const kept = Buffer.from(input);
  try {
    return await run(input);
  } catch (cause) {
    throw new FuzzFind(`${where()}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, input: kept });
  }
}
