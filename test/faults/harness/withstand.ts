import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import type { Operation } from "../../../src/config/config.ts";
import { eventually } from "../../e2e/harness/bounded.ts";
import { type FaultBench, type FaultBenchOptions, openFaultBench } from "./bench.ts";
import type { Outcome, StatusName } from "./calls.ts";

export type Transport = "rest" | "grpc";
export const TRANSPORTS: readonly Transport[] = ["rest", "grpc"];

/** What the callers of the shop's key get while the fault lasts. */
export type Expectation =
  /** The right answer: they do not notice. */
  | "served"
  /** This status, and a message that says so. */
  | { readonly status: StatusName; readonly says: RegExp }
  /** One of these. */
  | readonly { readonly status: StatusName; readonly says: RegExp }[];

/** What a test here is about. `docs/faults.md` has a line for each, made from these very texts. */
export interface NamedFault {
  /** What goes wrong: the first half of the test's name. */
  readonly fault: string;
  /** What holds all the same: the second half. */
  readonly promise: string;
  /** What a user sees meanwhile, where `expect` does not say it. */
  readonly sees?: string;
}

export interface Fault extends NamedFault {
  /** Makes it go wrong. */
  readonly arrange: (bench: FaultBench, transport: Transport) => void | Promise<void>;
  /** What ends it, beside faults of the emulator and of the wire. */
  readonly mend?: (bench: FaultBench) => void;
  /** It is about tokens, which the other rule has from the same source. */
  readonly sharesTokens?: boolean;
  readonly expect: Expectation;
  /** Both where left out. */
  readonly operations?: readonly Operation[];
  /** Both where left out. */
  readonly transports?: readonly Transport[];
  readonly options?: FaultBenchOptions;
}

const OPERATIONS: readonly Operation[] = ["encrypt", "decrypt"];

/**
 * One test for each fault and transport. While the fault lasts: each call ends in time and is right or says why, the
 * other rule is served. Once it is gone: the shop's key is served again and opens what was made before. In the end
 * nothing is left: no timer, no socket.
 */
export function testFaults(faults: readonly Fault[]): void {
  for (const fault of faults) {
    for (const transport of fault.transports ?? TRANSPORTS) {
      test(nameOf(fault, transport), () => withstand(fault, transport));
    }
  }
}

/** One that fits into no table. @param variant such as the transport, where one fault has several tests */
export function testFault(fault: NamedFault, variant: string | undefined, body: () => Promise<void>): void {
  test(nameOf(fault, variant), body);
}

export function nameOf({ fault, promise }: NamedFault, variant?: string): string {
  return `${fault}${variant === undefined ? "" : ` (${variant})`}: ${promise}`;
}

async function withstand(fault: Fault, transport: Transport): Promise<void> {
  const { arrange, expect, options, operations = OPERATIONS } = fault;
  const before = openSockets();
  const bench = await openFaultBench({ transport, ...options });
  try {
    await arrange(bench, transport);
    for (const operation of operations) assertExpected(await bench.call(operation), expect);
    if (fault.sharesTokens !== true) await bench.assertBankIsServed();
    fault.mend?.(bench);
    await bench.assertRecovers();
  } finally {
    await bench.drive(Promise.resolve(bench[Symbol.asyncDispose]()));
  }
  assert.equal(bench.clock.pendingTimers, 0, "a timer is left");
  await eventually(5_000, "the sockets are closed", () => openSockets() <= before);
}

export function assertExpected(outcome: Outcome, expect: Expectation): void {
  if (expect === "served") {
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return;
  }
  assert.ok(!outcome.ok, "it was answered");
  const { message } = outcome;
  const expected = [expect].flat();
  const isExpected = expected.some(({ status, says }) => status === outcome.status && says.test(message));
  assert.ok(isExpected, `${outcome.status} ${message}\ninstead of ${inspect(expected)}`);
}

/** Of this process: those that listen and those that are connected. @param kind as Node names what is open */
export function openSockets(kind: RegExp = /TCP|Pipe/): number {
  return process.getActiveResourcesInfo().filter((each) => kind.test(each)).length;
}
