import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cacheDataKeys } from "../../../src/kms/data-key-cache.ts";
import type { DecryptResult } from "../../../src/kms/kms-client.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createFakeKmsClient, fakeCall } from "../../fakes/kms-client.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const TTL_MS = 60_000;
const CIPHERTEXT = Buffer.from("ciphertext");
const DATA_KEY = Buffer.alloc(32, 7);
const tokens = createFakeTokenHolder();

function setUp({ maxEntries = 10, answer = DATA_KEY } = {}) {
  const clock = createFakeClock();
  const below = createFakeKmsClient(() => Buffer.from(answer));
  const client = cacheDataKeys(below, { ttlMs: TTL_MS, maxEntries, clock });
  async function decrypt(ciphertext = CIPHERTEXT, holder = tokens): Promise<DecryptResult> {
    const asked = below.pending.length;
    const result = client.decrypt(ciphertext, fakeCall({ tokens: holder }));
    below.pending[asked]?.answer();
    return await result;
  }
  return { clock, below, client, decrypt };
}

/** Every buffer that is made a copy of while `work` runs: the cache keeps one of them. */
async function watchCopies(work: () => Promise<unknown>): Promise<readonly Buffer[]> {
  const copies: Buffer[] = [];
  const original = Buffer.from;
  Buffer.from = ((...parts: Parameters<typeof original>) => {
    const copy = original(...parts);
    copies.push(copy);
    return copy;
  }) as typeof original;
  try {
    await work();
  } finally {
    Buffer.from = original;
  }
  return copies;
}

describe("the cache of data keys", () => {
  test("answers the same question from memory, says so, and says whose permission it was", async () => {
    const { below, decrypt } = setUp();
    assert.equal((await decrypt()).servedBy, undefined);
    const hit = await decrypt();
    assert.deepEqual(hit, {
      plaintext: DATA_KEY,
      servedBy: "cache",
      principal: "robot@project.iam.gserviceaccount.com",
    });
    assert.equal(below.pending.length, 1);
  });

  test("hands out copies: who wipes theirs leaves the next one's alone", async () => {
    const { decrypt } = setUp();
    (await decrypt()).plaintext.fill(0);
    (await decrypt()).plaintext.fill(0);
    assert.deepEqual((await decrypt()).plaintext, DATA_KEY);
  });

  test("asks again when the time is over", async () => {
    const { clock, below, decrypt } = setUp();
    await decrypt();
    clock.advance(TTL_MS - 1);
    assert.equal((await decrypt()).servedBy, "cache");
    clock.advance(1);
    assert.equal((await decrypt()).servedBy, undefined);
    assert.equal(below.pending.length, 2);
  });

  test("asks again after the machine slept for longer than that", async () => {
    const { clock, decrypt } = setUp();
    await decrypt();
    clock.suspend(TTL_MS);
    assert.equal((await decrypt()).servedBy, undefined);
  });

  test("asks again where the wall clock was set back", async () => {
    const { clock, decrypt } = setUp();
    await decrypt();
    clock.jumpWall(-1);
    assert.equal((await decrypt()).servedBy, undefined);
  });

  test("never answers one identity with what another was given", async () => {
    const { below, decrypt } = setUp();
    await decrypt();
    await decrypt(CIPHERTEXT, createFakeTokenHolder());
    assert.equal(below.pending.length, 2);
  });

  test("never answers an encrypt", async () => {
    const { below, client } = setUp();
    const answers = [client.encrypt(DATA_KEY, fakeCall({ tokens })), client.encrypt(DATA_KEY, fakeCall({ tokens }))];
    for (const pending of below.pending) pending.answer();
    await Promise.all(answers);
    assert.equal(below.pending.length, 2);
  });

  test("keeps no failure", async () => {
    const { below, client, decrypt } = setUp();
    const failing = client.decrypt(CIPHERTEXT, fakeCall({ tokens }));
    below.pending[0]?.fail(new Error("down"));
    await assert.rejects(failing);
    assert.equal((await decrypt()).servedBy, undefined);
  });

  test("makes room by its oldest entry", async () => {
    const { decrypt } = setUp({ maxEntries: 2 });
    for (const text of ["a", "b", "c"]) await decrypt(Buffer.from(text));
    assert.equal((await decrypt(Buffer.from("b"))).servedBy, "cache");
    assert.equal((await decrypt(Buffer.from("c"))).servedBy, "cache");
    assert.equal((await decrypt(Buffer.from("a"))).servedBy, undefined);
  });

  test("keeps nothing that is too large for a data key", async () => {
    const { decrypt } = setUp({ answer: Buffer.alloc(1_025, 7) });
    await decrypt();
    assert.equal((await decrypt()).servedBy, undefined);
  });

  for (const [end, finish] of [
    ["at the end of its time", async ({ clock }: ReturnType<typeof setUp>) => clock.pass(TTL_MS)],
    ["on close", async ({ client }: ReturnType<typeof setUp>) => client.close()],
    ["when it makes room", async ({ decrypt }: ReturnType<typeof setUp>) => decrypt(Buffer.from("another"))],
  ] as const) {
    test(`wipes a data key ${end}`, async () => {
      const set = setUp({ maxEntries: 1 });
      const copies = await watchCopies(set.decrypt);
      const kept = copies.filter((copy) => copy.equals(DATA_KEY));
      assert.ok(kept.length > 0);
      await finish(set);
      assert.ok(kept.some((copy) => copy.equals(Buffer.alloc(32))));
    });
  }

  test("leaves no timer behind", async () => {
    const { clock, client, below, decrypt } = setUp();
    await decrypt();
    await clock.pass(TTL_MS);
    assert.equal(clock.pendingTimers, 0);
    await decrypt();
    await client.close();
    assert.equal(clock.pendingTimers, 0);
    assert.ok(below.closed);
  });

  test("keeps nothing of a call that ends after it was closed", async () => {
    const { clock, below, client } = setUp();
    const late = client.decrypt(CIPHERTEXT, fakeCall({ tokens }));
    await client.close();
    below.pending[0]?.answer();
    await late;
    assert.equal(clock.pendingTimers, 0);
  });
});
