import { parseArgs } from "node:util";

export interface SoakOptions {
  readonly minutes: number;
  /** Calls a second at most, all lanes together. */
  readonly rate: number;
  /** Callers at once, each with a connection of its own. */
  readonly lanes: number;
  readonly jsonFile: string;
  readonly help: boolean;
}

export const USAGE: string = `Usage: npm run soak -- [OPTION…]

One server under mixed load, with faults, reloads, expiring tokens, bad requests and reconnects that come and go, and
audit on. Shows what it holds while it runs, and at the end by how much that grows. Exits with 1 where a call ended
wrongly, or memory or descriptors grow beyond their bounds. Linux only.

  --minutes N    (5; hours are well spent)
  --rate N       calls a second at most (150)
  --lanes N      callers at once (12)
  --json FILE    every sample and outcome (test/soak/latest.json)`;

/** @throws Error for what is not known */
export function parseOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      rate: { type: "string", default: "150" },
      lanes: { type: "string", default: "12" },
      json: { type: "string", default: "test/soak/latest.json" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    minutes: positive("--minutes", values.minutes),
    rate: positive("--rate", values.rate),
    lanes: Math.ceil(positive("--lanes", values.lanes)),
    jsonFile: values.json,
    help: values.help,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${option} takes a number above 0, not "${text}"`);
}
