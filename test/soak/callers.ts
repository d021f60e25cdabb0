import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { createKeyClient, type KeyClient } from "../fakes/key-client.ts";
import type { KeyMessage } from "../fakes/key-messages.ts";
import type { Asked, Outcomes } from "./outcomes.ts";
import { DEADLINE_MS, keyOf, TROUBLED, WELL } from "./server.ts";

export interface CallersOptions {
  readonly address: string;
  readonly lanes: number;
  /** Calls a second, all lanes together. */
  readonly rate: number;
  readonly outcomes: Outcomes;
  readonly signal: AbortSignal;
}

/** What a caller does next, by how often in a hundred times. */
type Deed = "round trip" | "known decrypt" | "bad request" | "cancel" | "reconnect";
const DEEDS: readonly (readonly [Deed, number])[] = [
  ["round trip", 40],
  ["known decrypt", 40],
  ["bad request", 8],
  ["cancel", 4],
  ["reconnect", 8],
];

/** Callers without a pause but for the rate, each by a connection of its own, until the signal. */
export async function runCallers({ address, lanes, rate, outcomes, signal }: CallersOptions): Promise<void> {
  const pauseMs = (1_000 * lanes) / rate;
  const run = async (): Promise<void> => {
    const lane = createLane(() => createKeyClient(address), outcomes);
    while (!signal.aborted) {
      const next = pause(pauseMs * (0.5 + Math.random()));
      await lane.act(chooseDeed());
      await next;
    }
    lane.close();
  };
  await Promise.all(Array.from({ length: lanes }, run));
}

function chooseDeed(): Deed {
  let drawn = randomInt(100);
  for (const [deed, weight] of DEEDS) {
    drawn -= weight;
    if (drawn < 0) return deed;
  }
  return "round trip";
}

interface Known {
  readonly dataKey: Buffer;
  readonly ciphertext: Buffer;
}

function createLane(connect: () => KeyClient, outcomes: Outcomes) {
  let client = connect();
  const known = new Map<string, Known>();
  const rules = [...TROUBLED, WELL];

  /** @returns the bytes of a right answer */
  async function call(
    asked: Asked,
    make: () => Promise<Buffer>,
    isRight: (bytes: Buffer) => boolean,
  ): Promise<Buffer | undefined> {
    const startedMs = performance.now();
    try {
      const bytes = await make();
      const right = bytes.length > 0 && isRight(bytes);
      outcomes.answered(asked, right, performance.now() - startedMs);
      return right ? bytes : undefined;
    } catch (thrown) {
      outcomes.failed(asked, thrown as ServiceError, performance.now() - startedMs);
      return undefined;
    }
  }

  async function roundTrip(rule: string): Promise<void> {
    const [asked, key, dataKey] = [askedOf("good", rule), messageOf(keyOf(rule)), randomBytes(32)];
    const ciphertext = await call(
      asked,
      () => client.encrypt(key, dataKey),
      () => true,
    );
    if (ciphertext === undefined) return;
    known.set(rule, { dataKey, ciphertext });
    await decryptKnown(rule);
  }

  async function decryptKnown(rule: string): Promise<void> {
    const found = known.get(rule);
    if (found === undefined) return await roundTrip(rule);
    const { ciphertext, dataKey } = found;
    const decrypt = () => client.decrypt(messageOf(keyOf(rule)), ciphertext);
    await call(askedOf("good", rule), decrypt, (bytes) => bytes.equals(dataKey));
  }

  async function askBadly(rule: string): Promise<void> {
    const right = messageOf(keyOf(rule));
    const requests: readonly (() => Promise<Buffer>)[] = [
      () => client.decrypt(right, randomBytes(80)),
      () => client.decrypt(right, Buffer.from(randomBytes(80).toString("base64"))),
      () => client.encrypt(right, Buffer.alloc(0)),
      () => client.encrypt(right, Buffer.alloc(200_000)),
      () => client.encrypt(messageOf(`${keyOf(rule)}/cryptoKeyVersions/1`), randomBytes(32)),
      () => client.encrypt(messageOf(keyOf("nobody")), randomBytes(32)),
      () => client.encrypt({ ageKey: { recipient: "age1" } }, randomBytes(32)),
    ];
    const request = requests[randomInt(requests.length)];
    if (request !== undefined) await call(askedOf("bad", rule), request, () => true);
  }

  async function cancel(rule: string): Promise<void> {
    const gone = new AbortController();
    const work = () => client.encrypt(messageOf(keyOf(rule)), randomBytes(32), { signal: gone.signal });
    setTimeout(() => gone.abort(), randomInt(5));
    await call(askedOf("cancelled", rule), work, () => true);
  }

  return {
    async act(deed: Deed): Promise<void> {
      const rule = rules[randomInt(rules.length)] ?? WELL;
      switch (deed) {
        case "round trip":
          return await roundTrip(rule);
        case "known decrypt":
          return await decryptKnown(rule);
        case "bad request":
          return await askBadly(rule);
        case "cancel":
          return await cancel(rule);
        case "reconnect":
          client.close();
          client = connect();
          return await decryptKnown(rule);
      }
    },
    close: () => client.close(),
  };
}

function askedOf(kind: Asked["kind"], rule: string): Asked {
  return { kind, rule, isTroubled: rule !== WELL, deadlineMs: DEADLINE_MS };
}

function messageOf(resourceId: string): KeyMessage {
  return { gcpKmsKey: { resourceId } };
}
