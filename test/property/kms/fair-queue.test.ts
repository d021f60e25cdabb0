import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createFairQueue, type FairQueue } from "../../../src/kms/fair-queue.ts";

const RULES = ["a", "b", "c", "d"] as const;
type Rule = (typeof RULES)[number];

interface Entry {
  readonly rule: Rule;
}

type Step = { readonly do: "add" | "give way" | "leave"; readonly rule: Rule } | { readonly do: "take" };

const ruleOf = fc.constantFrom(...RULES);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), rule: ruleOf }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("take" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("give way" as const, "leave" as const), rule: ruleOf }) },
);

/** The queue beside a plain model of it: a list of entries for each rule, and how often each was passed over. */
class Model {
  readonly queue: FairQueue<Entry> = createFairQueue<Entry>();
  readonly lines: Record<Rule, Entry[]> = { a: [], b: [], c: [], d: [] };
  readonly passedOver: Record<Rule, number> = { a: 0, b: 0, c: 0, d: 0 };

  run(each: Step): void {
    switch (each.do) {
      case "add":
        this.add(each.rule);
        break;
      case "take":
        this.take();
        break;
      case "give way":
        this.giveWay(each.rule);
        break;
      case "leave":
        this.leave(each.rule);
    }
    const waiting = RULES.reduce((sum, rule) => sum + this.lines[rule].length, 0);
    assert.equal(this.queue.size, waiting);
  }

  private add(rule: Rule): void {
    const entry = { rule };
    this.lines[rule].push(entry);
    this.queue.add(rule, entry);
  }

  private take(): void {
    const taken = this.queue.takeNext();
    if (taken === undefined) {
      assert.equal(this.queue.size, 0);
      return;
    }
    // Within a rule the oldest comes first; between rules, nobody who waits is passed over by another twice.
    assert.equal(taken, this.lines[taken.rule].shift());
    for (const rule of RULES) {
      const waits = this.lines[rule].length > 0 && rule !== taken.rule;
      this.passedOver[rule] = waits ? this.passedOver[rule] + 1 : 0;
      assert.ok(this.passedOver[rule] < RULES.length, `${rule} was passed over ${this.passedOver[rule]} times`);
    }
  }

  private giveWay(rule: Rule): void {
    const longest = Math.max(...RULES.map((each) => this.lines[each].length));
    const displaced = this.queue.giveWayTo(rule);
    if (displaced === undefined) {
      assert.ok(longest <= this.lines[rule].length + 1);
      return;
    }
    assert.equal(this.lines[displaced.rule].length, longest);
    assert.equal(displaced, this.lines[displaced.rule].pop());
  }

  private leave(rule: Rule): void {
    const entry = this.lines[rule].at(-1);
    if (entry === undefined) return;
    this.lines[rule].pop();
    assert.equal(this.queue.remove(rule, entry), true);
    assert.equal(this.queue.remove(rule, entry), false);
  }
}

describe("a fair queue", () => {
  test("serves rules in rotation and takes from the longest line, in any order of events", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const model = new Model();
        for (const each of steps) model.run(each);
      }),
      { numRuns: 500 },
    );
  });
});
