import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { joinIdenticalCalls } from "../../../src/kms/joining.ts";
import { settle } from "../../fakes/clock.ts";
import { createFakeKmsClient, fakeCall, type PendingCall } from "../../fakes/kms-client.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

/** What may happen next; numbers are taken modulo what there is. */
type Step =
  | { readonly do: "call"; readonly payload: number }
  | { readonly do: "give_up" | "answer" | "fail"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("call" as const), payload: fc.nat(2) }),
  fc.record({ do: fc.constantFrom("give_up" as const, "answer" as const, "fail" as const), which: fc.nat(20) }),
);

interface Caller {
  readonly patience: AbortController;
  outcome: "waiting" | "answered" | "cancelled" | "failed";
}

/** The answer belongs to the question, so that a mixed-up one shows. */
const answerFor = (payload: Uint8Array) => Buffer.concat([Buffer.from("answer to "), payload]);

function createScene() {
  const tokens = createFakeTokenHolder();
  const below = createFakeKmsClient(answerFor);
  const client = joinIdenticalCalls(below);
  const callers: Caller[] = [];
  const settled = new Set<PendingCall>();

  function startCaller(payload: Buffer): void {
    const caller: Caller = { patience: new AbortController(), outcome: "waiting" };
    callers.push(caller);
    client.decrypt(payload, fakeCall({ tokens, signal: caller.patience.signal })).then(
      ({ plaintext }) => {
        assert.deepEqual(plaintext, answerFor(payload));
        plaintext.fill(0);
        caller.outcome = "answered";
      },
      (thrown: Error) => {
        caller.outcome = thrown.message === "down" ? "failed" : "cancelled";
      },
    );
  }

  const open = () => below.pending.filter((pending) => !settled.has(pending) && !pending.call.signal.aborted);

  function end(question: PendingCall | undefined, how: "answer" | "fail"): void {
    if (question === undefined) return;
    settled.add(question);
    if (how === "answer") question.answer();
    else question.fail(new Error("down"));
  }

  return {
    callers,
    async perform(step: Step): Promise<void> {
      if (step.do === "call") startCaller(Buffer.from(`payload ${step.payload}`));
      else if (step.do === "give_up") callers[step.which % callers.length]?.patience.abort();
      else end(open()[step.which], step.do);
      await settle();
    },
    questions: () => open().map(({ answered }) => answered.toString()),
    async finish(): Promise<void> {
      for (const question of open()) end(question, "answer");
      await settle();
    },
  };
}

test("identical calls share one question at a time, whoever gives up and whatever comes of it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const scene = createScene();
      for (const each of steps) {
        await scene.perform(each);
        const questions = scene.questions();
        assert.equal(new Set(questions).size, questions.length, "the same question was asked twice at a time");
      }
      await scene.finish();
      for (const { outcome, patience } of scene.callers) {
        assert.notEqual(outcome, "waiting", "a caller was forgotten");
        if (outcome === "cancelled") assert.ok(patience.signal.aborted, "a caller failed for another's giving up");
      }
    }),
    { numRuns: 1_000 },
  );
});
