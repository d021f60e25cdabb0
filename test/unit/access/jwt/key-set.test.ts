import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createKeySet, type KeySet, type KeySetOptions } from "../../../../src/access/jwt/key-set.ts";
import { KeyServiceError } from "../../../../src/core/errors.ts";
import { createFakeClock, type FakeClock, settle } from "../../../fakes/clock.ts";
import { refusalOf } from "./fixtures.ts";

const KEYS = '{"keys":[]}';
const OTHER_KEYS = '{"keys":[{"kty":"EC"}]}';

interface Load {
  readonly signal: AbortSignal;
  succeed(text: string): void;
  fail(error: unknown): void;
}

let clock: FakeClock;
let loads: Load[];
let warnings: string[];

beforeEach(() => {
  clock = createFakeClock();
  loads = [];
  warnings = [];
});
afterEach(() => assert.equal(clock.pendingTimers, 0, "a load's deadline was left behind"));

function create(options: Partial<KeySetOptions> = {}): KeySet {
  return createKeySet({
    name: "issuer https://issuer.example",
    clock,
    freshMs: 600_000,
    coolDownMs: 30_000,
    serveStale: true,
    warn: (message) => warnings.push(message),
    load(signal) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      loads.push({ signal, succeed: resolve, fail: reject });
      return promise;
    },
    ...options,
  });
}

const { signal } = new AbortController();
const outage = () => new KeyServiceError("issuer_unavailable", { problem: "the issuer is down", remedy: "wait" });

/** Keys that were loaded once. */
async function createLoaded(options: Partial<KeySetOptions> = {}) {
  const keys = create(options);
  const first = keys.get(signal);
  loads[0]?.succeed(KEYS);
  return { keys, held: await first };
}

test("callers who come together share one load, and one who gives up fails no other", async () => {
  const keys = create();
  const giveUp = new AbortController();
  const impatient = keys.get(giveUp.signal);
  const patient = Array.from({ length: 50 }, () => keys.get(signal));
  giveUp.abort(new KeyServiceError("deadline_exceeded", { problem: "its time was over" }));
  assert.equal((await refusalOf(impatient)).code, "deadline_exceeded");
  assert.equal(loads[0]?.signal.aborted, false);
  loads[0]?.succeed(KEYS);
  assert.equal(new Set(await Promise.all(patient)).size, 1);
  assert.equal(loads.length, 1);
});

test("keys are loaded again behind those who use them, once it is time", async () => {
  const { keys, held } = await createLoaded();
  clock.advance(599_000);
  assert.equal(await keys.get(signal), held);
  assert.equal(loads.length, 1);
  clock.advance(1_000);
  assert.equal(await keys.get(signal), held);
  assert.equal(loads.length, 2);
  loads[1]?.succeed(OTHER_KEYS);
  await settle();
  assert.notEqual((await keys.get(signal)).generation, held.generation);
  assert.equal(keys.isCurrent(held.generation), false);
});

test("the same keys again are no news", async () => {
  const { keys, held } = await createLoaded();
  clock.advance(600_000);
  assert.equal(keys.isCurrent(held.generation), true);
  loads[1]?.succeed(KEYS);
  await settle();
  assert.equal(await keys.get(signal), held);
});

test("while the issuer is down the last good keys stay, it is asked in a rhythm, and the operator hears of it once", async () => {
  const { keys, held } = await createLoaded();
  for (let minute = 0; minute < 60; minute++) {
    clock.advance(60_000);
    assert.equal(await keys.get(signal), held);
    assert.equal(await keys.get(signal), held);
    loads.at(-1)?.fail(outage());
    await settle();
  }
  assert.equal(loads.length, 1 + 51);
  assert.deepEqual(warnings, ["the issuer is down; the keys from before stay in use"]);
});

test("keys that nobody confirmed for a day are not taken any more", async () => {
  const { keys, held } = await createLoaded();
  clock.advance(86_400_000);
  assert.equal(keys.isCurrent(held.generation), false);
  loads.at(-1)?.fail(outage());
  await settle();
  assert.equal((await refusalOf(keys.get(signal))).code, "issuer_unavailable");
});

test("without any keys a failure is what callers get, and a new load begins after two seconds", async () => {
  const keys = create();
  const first = keys.get(signal);
  loads[0]?.fail(outage());
  assert.match((await refusalOf(first)).message, /the issuer is down/);
  assert.match((await refusalOf(keys.get(signal))).message, /the issuer is down/);
  assert.equal(loads.length, 1);
  clock.advance(2_000);
  const second = keys.get(signal);
  loads[1]?.succeed(KEYS);
  assert.ok(await second);
  assert.deepEqual(warnings, []);
});

test("an issuer that says nothing holds nobody longer than six seconds", async () => {
  const keys = create();
  const waiting = refusalOf(keys.get(signal));
  await clock.pass(6_000);
  const error = await waiting;
  assert.equal(error.code, "issuer_unavailable");
  assert.match(error.message, /issuer https:\/\/issuer.example cannot be fetched: it took longer than 6 s/);
  assert.equal(loads[0]?.signal.aborted, true);
});

test("unknown key ids load the keys at most once in the cool-down, however many come", async () => {
  const { keys, held } = await createLoaded();
  assert.equal(await keys.getNewer(held, signal), undefined);
  clock.advance(30_000);
  const asking = Array.from({ length: 1_000 }, () => keys.getNewer(held, signal));
  assert.equal(loads.length, 2);
  loads[1]?.succeed(OTHER_KEYS);
  const found = await Promise.all(asking);
  assert.equal(new Set(found.map((newer) => newer?.generation)).size, 1);
  assert.notEqual(found[0], undefined);
  const [newest] = found;
  assert.ok(newest);
  for (let count = 0; count < 1_000; count++) assert.equal(await keys.getNewer(newest, signal), undefined);
  assert.equal(loads.length, 2);
});

test("who verified by keys that have been replaced meanwhile gets the newer ones without a load", async () => {
  const { keys, held } = await createLoaded();
  clock.advance(30_000);
  const first = keys.getNewer(held, signal);
  loads[1]?.succeed(OTHER_KEYS);
  const newer = await first;
  assert.equal((await keys.getNewer(held, signal))?.generation, newer?.generation);
  assert.equal(loads.length, 2);
});

test("what is no key set is an outage of the issuer, and displaces nothing", async () => {
  const { keys, held } = await createLoaded();
  for (const text of ["", "null", "{}", '{"keys":{}}', "<html>"]) {
    clock.advance(600_000);
    assert.equal(await keys.get(signal), held);
    loads.at(-1)?.succeed(text);
    await settle();
    assert.equal(await keys.get(signal), held, text);
  }
  assert.match(warnings[0] ?? "", /are not a JSON Web Key Set/);
});

test("a file is read again before it is used, and a bad one keeps the keys from before", async () => {
  const { keys, held } = await createLoaded({ freshMs: 1_000, coolDownMs: 1_000, serveStale: false });
  clock.advance(1_000);
  assert.equal(keys.isCurrent(held.generation), false);
  const second = keys.get(signal);
  loads[1]?.succeed(OTHER_KEYS);
  const newer = await second;
  assert.notEqual(newer.generation, held.generation);
  clock.advance(1_000);
  const third = keys.get(signal);
  loads[2]?.fail(outage());
  assert.equal(await third, newer);
});
