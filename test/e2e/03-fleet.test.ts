import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { assertSucceeded } from "./harness/assert-outcome.ts";
import { type Bench, type Keyd, testWithSops } from "./harness/bench.ts";
import { KEY } from "./harness/config.ts";

const FILES = 100;
const AT_A_TIME = 8;

testWithSops("a hundred files, decrypted eight at a time, are all right and cost one token", async (bench) => {
  const keyd = await bench.serve();
  const numbers = Array.from({ length: FILES }, (_, index) => index);
  await eightAtATime(numbers, (number) => encrypt(bench, keyd, number));
  // A server that holds no token yet: the fleet comes to a cold one.
  keyd.child.signal("SIGTERM");
  assert.equal((await keyd.child.ended()).code, 0);
  const cold = await bench.serve();
  bench.emulator.admin.resetRequests();

  const failures: string[] = [];
  await eightAtATime(numbers, async (number) => {
    const { stdout, stderr } = await bench.sops(cold, ["decrypt", fileName(number)]);
    if (stdout !== plainText(number)) failures.push(`${fileName(number)}: ${stdout}${stderr}`);
  });
  assert.deepEqual(failures, []);
  const { counts, requests } = bench.emulator.admin.requests();
  assert.deepEqual(counts, { "oauth.token": 1, "kms.decrypt": FILES });
  const answers = new Set(requests.map(({ status }) => status));
  assert.deepEqual(answers, new Set([200]));
});

function fileName(number: number): string {
  return `secret-${number}.yaml`;
}

function plainText(number: number): string {
  return `password: word-${number}\n`;
}

async function encrypt(bench: Bench, keyd: Keyd, number: number): Promise<void> {
  const path = bench.write(fileName(number), plainText(number));
  assertSucceeded(await bench.sops(keyd, ["encrypt", "--gcp-kms", KEY, "-i", fileName(number)]));
  assert.ok(!readFileSync(path, "utf8").includes(`word-${number}`));
}

/** Eight workers, each with the next item as soon as it is free. */
async function eightAtATime<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
