import { parseArgs } from "node:util";
import { PEER_NAMES, type PeerName } from "./peers/all.ts";
import type { CallsPlan } from "./suites/calls.ts";
import { UPSTREAMS, type UpstreamName } from "./upstream.ts";

export const SUITES = ["calls", "start", "files", "limit", "memory", "isolation"] as const;
export type SuiteName = (typeof SUITES)[number];

export interface BenchOptions {
  readonly plan: CallsPlan;
  readonly suites: readonly SuiteName[];
  /** Where the results go, as soon as each is there. */
  readonly jsonFile: string;
  /** Goes on with what is in `jsonFile`. */
  readonly resume: boolean;
  /** Where docs/performance.md takes its tables and plot from this run. */
  readonly writeDocs: boolean;
  /** Shorter suites, of which nothing can be concluded but that they work. */
  readonly quick: boolean;
  readonly profileDirectory: string | undefined;
  readonly help: boolean;
}

const UPSTREAM_NAMES = Object.keys(UPSTREAMS) as readonly UpstreamName[];
const QUICK_PEERS: readonly PeerName[] = ["keyd-rest", "sops-rest-account", "null"];
/** Audited calls are compared with the others on their own: on a disk that is busy they say more of the disk. */
const FULL_PEERS = PEER_NAMES.filter((name) => name !== "keyd-rest-audited");

export const USAGE: string = `Usage: npm run bench -- [OPTION…]

Measures sops-keyd beside \`sops keyservice\`, Google's own client and a null server, on this machine, in about ten
minutes. Prints what it does; writes tables to stdout and every result to a JSON file.

  --quick            one short round of a few peers, about a minute
  --suites A,B       of ${SUITES.join(", ")}
  --peers A,B        of ${PEER_NAMES.join(", ")}
  --upstreams A,B    of ${UPSTREAM_NAMES.join(", ")}
  --in-flight N,M    calls at once (1,64)
  --connections N    over how many connections they come (8)
  --rounds N         (3)
  --seconds S        of load for each measurement (2)
  --json FILE        (bench/results/latest.json)
  --resume           go on with what is in that file
  --docs             write the results into docs/performance.md and docs/performance.svg
  --profile DIR      have sops-keyd write CPU profiles into DIR; \`node bench/profile.ts FILE\` sums them up

It needs Go (for the upstream) and a real sops, which \`scripts/get-sops\` finds or builds. Linux only.`;

/** @throws Error for what is not known */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      suites: { type: "string" },
      peers: { type: "string" },
      upstreams: { type: "string" },
      "in-flight": { type: "string", default: "1,64" },
      connections: { type: "string", default: "8" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      json: { type: "string", default: "bench/results/latest.json" },
      resume: { type: "boolean", default: false },
      docs: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { quick } = values;
  return {
    plan: {
      peers: choose(values.peers, PEER_NAMES, quick ? QUICK_PEERS : FULL_PEERS),
      upstreams: choose(values.upstreams, UPSTREAM_NAMES, quick ? ["tls"] : UPSTREAM_NAMES),
      inFlight: values["in-flight"].split(",").map((text) => positive("--in-flight", text)),
      rounds: positive("--rounds", values.rounds ?? (quick ? "1" : "3")),
      connections: positive("--connections", values.connections),
      seconds: positive("--seconds", values.seconds ?? (quick ? "1" : "2")),
      maxCalls: 100_000,
    },
    suites: choose(values.suites, SUITES, SUITES),
    jsonFile: values.json,
    resume: values.resume,
    writeDocs: values.docs,
    quick,
    profileDirectory: values.profile,
    help: values.help,
  };
}

function choose<T extends string>(
  text: string | undefined,
  known: readonly T[],
  otherwise: readonly T[],
): readonly T[] {
  if (text === undefined) return otherwise;
  return text.split(",").map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new Error(`there is no "${name}"; there are ${known.join(", ")}`);
    return found;
  });
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${option} takes a number above 0, not "${text}"`);
}
