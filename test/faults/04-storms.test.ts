/** Everybody comes at once, and Cloud KMS refuses them all. */
import assert from "node:assert/strict";
import { openFaultBench } from "./harness/bench.ts";
import { assertExpected, type Expectation, type NamedFault, TRANSPORTS, testFault } from "./harness/withstand.ts";

const CALLS = 100;

interface Storm extends NamedFault {
  readonly code: number;
  readonly expect: Expectation;
  readonly mostRequests: number;
  readonly mostTokens: number;
}

const STORMS: readonly Storm[] = [
  {
    fault: "401 storm: everybody calls at once, and all are refused",
    promise: "each call asks twice at most, and they share one fresh token",
    sees: "FAILED_PRECONDITION: check that the principal still exists, and the clock",
    code: 401,
    expect: { status: "FAILED_PRECONDITION", says: /UNAUTHENTICATED.*to do: check that .*principal still exists/s },
    mostRequests: 2 * CALLS,
    mostTokens: 2,
  },
  {
    fault: "429 storm: everybody calls at once, and all are refused",
    promise: "the quota's limiter slows us down, and who cannot be served in time is told",
    sees: "RESOURCE_EXHAUSTED: try again in a moment; raise the quota",
    code: 429,
    expect: { status: "RESOURCE_EXHAUSTED", says: /(RESOURCE_EXHAUSTED|quota).*to do: try again in a moment/s },
    mostRequests: 2 * CALLS,
    mostTokens: 0,
  },
  {
    fault: "503 storm: everybody calls at once, and all are refused",
    promise: "the circuit opens, and most are told at once without a request",
    sees: "UNAVAILABLE: out of service since when, and why",
    code: 503,
    expect: { status: "UNAVAILABLE", says: /(UNAVAILABLE|503|is out of service since)/ },
    mostRequests: 2 * CALLS,
    mostTokens: 0,
  },
];

for (const storm of STORMS) {
  const { code, expect, mostRequests, mostTokens } = storm;
  for (const transport of TRANSPORTS) {
    testFault(storm, transport, async () => {
      await using bench = await openFaultBench({ transport });
      const { admin } = bench.emulator;
      admin.addFault({ kind: "status", code, endpoint: "kms.encrypt", resource: "projects/shop/*" });
      admin.resetRequests();
      for (const outcome of await bench.calls("encrypt", CALLS)) assertExpected(outcome, expect);
      const { counts } = admin.requests();
      const [asked = 0, tokens = 0] = [counts["kms.encrypt"], counts["metadata.token"]];
      assert.ok(asked <= mostRequests, `${asked} requests`);
      assert.ok(tokens <= mostTokens, `${tokens} tokens`);
      await bench.assertBankIsServed();
      await bench.assertRecovers();
    });
  }
}

const REFUSED_AGAIN_AND_AGAIN: NamedFault = {
  fault: "401 from one rule's Cloud KMS, call after call",
  promise: "the token that another rule has from the same source is not taken from it, and few new ones are got",
  sees: "FAILED_PRECONDITION: UNAUTHENTICATED; the other rule's users see nothing",
};

for (const transport of TRANSPORTS) {
  testFault(REFUSED_AGAIN_AND_AGAIN, transport, async () => {
    await using bench = await openFaultBench({ transport });
    const { admin } = bench.emulator;
    // Earns the rule its retries.
    await bench.calls("encrypt", 100);
    admin.addFault({ kind: "status", code: 401, endpoint: "kms.encrypt", resource: "projects/shop/*" });
    admin.resetRequests();
    for (let call = 0; call < 10; call += 1) {
      assertExpected(await bench.call("encrypt"), { status: "FAILED_PRECONDITION", says: /UNAUTHENTICATED/ });
      await bench.assertBankIsServed();
    }
    const tokens = admin.requests().counts["metadata.token"] ?? 0;
    assert.ok(tokens <= 3, `${tokens} tokens`);
  });
}
