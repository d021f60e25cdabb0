/**
 * The input that a thread is busy with, where another one can read it: the only way to know it when the first never comes
 * back.
 */
export type SharedInput = SharedArrayBuffer;

const HEAD_BYTES = 8;
const MAX_INPUT_BYTES = 65_536;
const [COUNT, LENGTH] = [0, 1];

export function createSharedInput(): SharedInput {
  return new SharedArrayBuffer(HEAD_BYTES + MAX_INPUT_BYTES);
}

export function writeInput(shared: SharedInput, input: Uint8Array): void {
  const head = new Int32Array(shared, 0, 2);
  const kept = input.subarray(0, MAX_INPUT_BYTES);
  new Uint8Array(shared, HEAD_BYTES).set(kept);
  Atomics.store(head, LENGTH, kept.length);
  Atomics.add(head, COUNT, 1);
}

/** How many inputs there have been. */
export function countInputs(shared: SharedInput): number {
  return Atomics.load(new Int32Array(shared, 0, 2), COUNT);
}

export function readInput(shared: SharedInput): Buffer {
  const length = Atomics.load(new Int32Array(shared, 0, 2), LENGTH);
  return Buffer.from(new Uint8Array(shared, HEAD_BYTES, length));
}
