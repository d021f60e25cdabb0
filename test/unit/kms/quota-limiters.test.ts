import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createQuotaLimiters } from "../../../src/kms/quota-limiters.ts";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { createFakeClock } from "../../fakes/clock.ts";

const keyOf = (project: string, location: string, key = "k") =>
  parseCryptoKeyName(`projects/${project}/locations/${location}/keyRings/r/cryptoKeys/${key}`);

describe("the limiters of quotas", () => {
  test("are one for each project that pays and location, whatever the key", () => {
    const limiters = createQuotaLimiters(createFakeClock(), () => {});
    const first = limiters.limiterFor(keyOf("p", "global"), undefined);
    assert.equal(limiters.limiterFor(keyOf("p", "global", "other"), undefined), first);
    assert.equal(limiters.limiterFor(keyOf("q", "global"), "p"), first);
    assert.notEqual(limiters.limiterFor(keyOf("p", "europe-west1"), undefined), first);
    assert.notEqual(limiters.limiterFor(keyOf("p", "global"), "billing"), first);
  });

  test("are a thousand at most: one that limits nothing goes first, and one that does only where all do", () => {
    const clock = createFakeClock();
    const limiters = createQuotaLimiters(clock, () => {});
    const limited = limiters.limiterFor(keyOf("limited", "global"), undefined);
    limited.throttled(undefined);
    for (let count = 0; count < 5_000; count += 1) limiters.limiterFor(keyOf(`p${count}`, "global"), undefined);
    assert.equal(limiters.limiterFor(keyOf("limited", "global"), undefined), limited);
    for (let count = 0; count < 1_000; count += 1) {
      limiters.limiterFor(keyOf(`q${count}`, "global"), undefined).throttled(undefined);
    }
    assert.notEqual(limiters.limiterFor(keyOf("limited", "global"), undefined), limited);
  });
});
