import { readdirSync, readFileSync } from "node:fs";

/** What the operating system says of a process and all that it started. Linux alone: read from /proc, see proc(5). */
export interface Usage {
  /** User and system time since they began, milliseconds; those that have ended included. */
  readonly cpuMs: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** The kernel counts in these for every program, whatever it uses itself (USER_HZ). */
const TICK_MS = 10;
const KIB_PER_MIB = 1024;

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

export function readUsage(pid: number): Usage {
  const members = familyOf(pid);
  return {
    cpuMs: sum(members, (each) => readStat(each)?.ticks ?? 0) * TICK_MS,
    rssMiB: sum(members, readRssKiB) / KIB_PER_MIB,
    descriptors: sum(members, countDescriptors),
  };
}

/** CPU of all children of this process that have ended and been waited for, milliseconds. */
export function endedChildrenCpuMs(): number {
  const fields = statFields(process.pid) ?? [];
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

function familyOf(pid: number): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  const parents = new Map(pids.map((name) => [Number(name), readStat(Number(name))?.parent]));
  const withChildren = (member: number): readonly number[] => {
    const children = [...parents].flatMap(([child, parent]) => (parent === member ? child : []));
    return [member, ...children.flatMap(withChildren)];
  };
  return withChildren(pid);
}

/** The fields after the name, which may have spaces in it; the first is the state. Undefined where it has ended. */
function statFields(pid: number): readonly string[] | undefined {
  const text = readOr(`/proc/${pid}/stat`, "");
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function readStat(pid: number): Stat | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  // utime, stime, and those of ended children
  const ticks = sum([11, 12, 13, 14], (index) => Number(fields[index]));
  return { parent: Number(fields[1]), ticks };
}

function readRssKiB(pid: number): number {
  return Number(/^VmRSS:\s+([0-9]+)/m.exec(readOr(`/proc/${pid}/status`, ""))?.[1] ?? 0);
}

function countDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
