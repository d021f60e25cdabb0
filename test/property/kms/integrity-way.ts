import type { Dispatcher } from "undici";
import type { Operation } from "../../../src/config/config.ts";
import { DAMAGES } from "./integrity-damage.ts";
import { type Answer, askKms, parseObject } from "./integrity-kms.ts";
import type { SeededRandom } from "./integrity-random.ts";

/** What happened to one request and its answer. */
export interface Passage {
  /** Names of damage; empty: both arrived as they were sent. */
  readonly damage: readonly string[];
  /** Whether the answer that arrived says something else than the one that was sent, in a field that counts. */
  readonly answerMeansElse: boolean;
  /** Whether Cloud KMS was asked something else, or could not verify what it was asked. */
  readonly requestMeansElse: boolean;
}

/** The way to Cloud KMS and back, which damages what passes. */
export interface DamagingWay {
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "destroy">;
  /** The last one that passed. */
  readonly last: Passage | undefined;
  /** How many passages had each kind of damage. */
  readonly counts: ReadonlyMap<string, number>;
}

/** One passage in three goes undamaged; damage meets answers twice as often as requests. */
export function createDamagingWay(random: SeededRandom): DamagingWay {
  const counts = new Map<string, number>();
  const earlier: { readonly path: string; readonly answer: Answer }[] = [];
  let last: Passage | undefined;
  const kinds = Object.keys(DAMAGES);

  function damage(bytes: Buffer, where: string, done: string[]): Buffer {
    const kind = random.pick(kinds);
    done.push(`${where}: ${kind}`);
    return DAMAGES[kind]?.(bytes, random) ?? bytes;
  }

  /** An earlier answer in the place of this one, where the two differ in what an answer tells of its request. */
  function swap(path: string, answer: Answer, done: string[]): Answer {
    const other = earlier.find((each) => each.path !== path && !(isDecrypt(each.path) && isDecrypt(path)));
    if (other === undefined) return answer;
    done.push("answer: swapped");
    return other.answer;
  }

  function pass(path: string, body: Buffer): Answer {
    const done: string[] = [];
    const chance = random.below(9);
    const arrivedPath = chance === 0 ? damagePath(path, random, done) : path;
    const arrivedBody = chance === 1 || chance === 2 ? damage(body, "request", done) : body;
    const sent = askKms(arrivedPath, arrivedBody);
    const arrived = damageAnswer(chance, path, sent, done);
    const operation = isDecrypt(path) ? "decrypt" : "encrypt";
    last = {
      damage: done,
      answerMeansElse: meaningOfAnswer(arrived, operation) !== meaningOfAnswer(sent, operation),
      requestMeansElse: arrivedPath !== path || meaningOfRequest(arrivedBody) !== meaningOfRequest(body),
    };
    remember(done, { path: arrivedPath, answer: sent });
    return arrived;
  }

  function damageAnswer(chance: number, path: string, sent: Answer, done: string[]): Answer {
    if (chance === 3) return swap(path, sent, done);
    const isMeant = chance >= 4 && chance <= 6 && sent.status === 200;
    return isMeant ? { ...sent, body: damage(sent.body, "answer", done) } : sent;
  }

  function remember(done: readonly string[], passed: { readonly path: string; readonly answer: Answer }): void {
    for (const kind of done.length === 0 ? ["undamaged"] : done) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (passed.answer.status === 200) earlier.unshift(passed);
    if (earlier.length > 8) earlier.pop();
  }

  return {
    dispatcher: {
      dispatch({ path, body }, handler) {
        // The client wipes the body's bytes once it has its answer.
        const answer = body instanceof Buffer ? pass(path, body) : { status: 404, body: Buffer.alloc(0) };
        deliver(answer, handler);
        return true;
      },
      destroy: async () => {},
    },
    get last() {
      return last;
    },
    counts,
  };
}

function deliver(answer: Answer, handler: Dispatcher.DispatchHandler): void {
  const controller = { abort() {} } as unknown as Dispatcher.DispatchController;
  handler.onRequestStart?.(controller, {});
  handler.onResponseStart?.(controller, answer.status, {}, "");
  handler.onResponseData?.(controller, Buffer.from(answer.body));
  handler.onResponseEnd?.(controller, {});
}

const isDecrypt = (path: string) => path.endsWith(":decrypt");

function damagePath(path: string, random: SeededRandom, done: string[]): string {
  done.push("request: path");
  const otherKey = path.replace(/\/k([0-9]?):/, random.pick(["/x:", "/k1:", "/k2:", "/k:", "/j$1:"]));
  return random.pick([otherKey, otherKey, path.replace(":encrypt", ":decrypt"), `${path}x`]);
}

/** The same text for all bodies that say the same: told by other code than the client's. */
function meaningOfAnswer({ status, body }: Answer, operation: Operation): string {
  if (status !== 200) return `${status}`;
  const answer = parseObject(body);
  if (answer === undefined) return "no JSON object";
  const field = operation === "encrypt" ? "ciphertext" : "plaintext";
  const told = [bytesOf(answer[field]), String(answer[`${field}Crc32c`]), toKey(answer["name"])];
  if (operation === "encrypt") told.push(String(answer["verifiedPlaintextCrc32c"] === true));
  return told.join();
}

/**
 * What of a name can be told to be wrong. Nothing covers the version's number: Cloud KMS' checksums are of the payloads
 * alone. A wrong one goes into logs, and into no file.
 */
function toKey(name: unknown): string {
  return String(name).replace(/\/cryptoKeyVersions\/[1-9][0-9]{0,9}$/, "/cryptoKeyVersions/(some)");
}

function meaningOfRequest(body: Buffer): string {
  const { plaintext, plaintextCrc32c, ciphertext, ciphertextCrc32c } = parseObject(body) ?? {};
  return [bytesOf(plaintext), String(plaintextCrc32c), bytesOf(ciphertext), String(ciphertextCrc32c)].join();
}

function bytesOf(value: unknown): string {
  return typeof value === "string" ? Buffer.from(value, "base64").toString("hex") : typeof value;
}
