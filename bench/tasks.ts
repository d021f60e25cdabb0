import type { BenchOptions, SuiteName } from "./options.ts";
import type { PeerName, Peers } from "./peers/all.ts";
import type { BenchRecord, Results } from "./results.ts";
import { type Cell, cellsOf, measureCells } from "./suites/calls.ts";
import { measureFiles } from "./suites/files.ts";
import { measureIsolation } from "./suites/isolation.ts";
import { measureLimit } from "./suites/limit.ts";
import { measureMemory } from "./suites/memory.ts";
import { measureExec, measureStart } from "./suites/start.ts";
import type { Workplace } from "./workplace.ts";

export interface TaskSurroundings {
  readonly peers: Peers;
  /** Path of a real sops. */
  readonly sops: string;
  readonly workplace: Workplace;
  readonly results: Results;
}

/** A part of the bench that stands for itself, and writes its results when it is done. */
export interface Task {
  readonly title: string;
  run(): Promise<void>;
}

const FULL = { starts: 5, rounds: 3, files: 100, calls: 100_000 } as const;
const QUICK = { starts: 1, rounds: 1, files: 20, calls: 10_000 } as const;

/** Everything that is asked for and not yet in the results. */
export function planTasks(options: BenchOptions, surroundings: TaskSurroundings): readonly Task[] {
  const length = options.quick ? QUICK : FULL;
  const tasksOf: Readonly<Record<SuiteName, () => readonly Task[]>> = {
    calls: () => callTasks(options, surroundings),
    start: () => startTasks(length.starts, surroundings),
    files: () => filesTasks(length.rounds, length.files, surroundings),
    limit: () => limitTasks(surroundings),
    memory: () => memoryTasks(length.calls, surroundings),
    isolation: () => isolationTasks(length.rounds, surroundings),
  };
  return options.suites.flatMap((suite) => tasksOf[suite]());
}

function callTasks({ plan }: BenchOptions, { peers, workplace, results }: TaskSurroundings): readonly Task[] {
  const idOf = (cell: Cell) => `calls ${cell.round} ${cell.upstream} ${cell.peer} ${cell.inFlight}`;
  const open = cellsOf(plan, peers).filter((cell) => !results.has(idOf(cell)));
  const runs = Map.groupBy(open, ({ round, upstream, peer }) => `round ${round}, ${upstream}: ${peer}`);
  return [...runs].map(([title, cells]) => ({
    title,
    run: () =>
      measureCells(cells, plan, peers, workplace, (cell, result) => {
        results.add({ suite: "calls", id: idOf(cell), cell, result });
      }),
  }));
}

function startTasks(rounds: number, { peers, sops, workplace, results }: TaskSurroundings): readonly Task[] {
  return repeat(rounds, (round) => [
    ...(["keyd-rest", "sops-rest-account", "null"] as const).map((peer) =>
      once(results, "start", `start ${round} ${peer}`, () => measureStart(peers, peer, workplace)),
    ),
    once(results, "start", `start ${round} exec`, () => measureExec(peers, sops, workplace)),
  ]);
}

function filesTasks(
  rounds: number,
  count: number,
  { peers, sops, workplace, results }: TaskSurroundings,
): readonly Task[] {
  const names: readonly PeerName[] = ["keyd-rest", "null", "sops-rest-account"];
  return repeat(rounds, (round) =>
    names.map((peer) =>
      once(results, "files", `files ${round} ${peer}`, () => measureFiles(peers, peer, sops, workplace, count)),
    ),
  );
}

function limitTasks({ peers, workplace, results }: TaskSurroundings): readonly Task[] {
  return (["keyd-rest", "sops-rest-account"] as const).flatMap((peer) =>
    once(results, "limit", `limit ${peer}`, () => measureLimit(peers, peer, workplace)),
  );
}

function memoryTasks(calls: number, { peers, workplace, results }: TaskSurroundings): readonly Task[] {
  return once(results, "memory", `memory, ${calls} calls`, () => measureMemory(peers, workplace, calls));
}

function isolationTasks(rounds: number, { workplace, results }: TaskSurroundings): readonly Task[] {
  return repeat(rounds, (round) => [
    once(results, "isolation", `isolation ${round}`, () => measureIsolation(workplace)),
  ]);
}

function repeat(rounds: number, tasksOf: (round: number) => readonly (readonly Task[])[]): readonly Task[] {
  return Array.from({ length: rounds }, (_, index) => tasksOf(index + 1)).flat(2);
}

type ResultOf<S extends BenchRecord["suite"]> = Extract<BenchRecord, { readonly suite: S }>["result"];

/** The task, or none where its result is there already. */
function once<S extends Exclude<BenchRecord["suite"], "calls">>(
  results: Results,
  suite: S,
  id: string,
  measure: () => Promise<ResultOf<S>>,
): readonly Task[] {
  if (results.has(id)) return [];
  const run = async () => results.add({ suite, id, result: await measure() } as BenchRecord);
  return [{ title: id, run }];
}
