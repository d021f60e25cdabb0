import { canonicalAddress, isLocalAddress, type ListenAddress, parseListenAddress } from "./address.ts";
import { checkTls } from "./check-tls.ts";
import type { ListenerShape, PartialShape } from "./document.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";

export function* checkListeners(config: PartialShape): Generator<Judgement> {
  const { listeners } = config;
  const seen = new Map<string, number>();
  for (const [index, listener] of listeners.entries()) {
    const address = listener === undefined ? "" : parseListenAddress(listener.address);
    if (listener === undefined || typeof address === "string") continue;
    const path = ["listeners", index];
    yield* address.kind === "unix"
      ? checkUnix(listener, path, tellsCallersApart(config))
      : checkTcp(listener, address, path);
    yield* checkUnique(address, index, seen);
  }
}

function* checkUnique(address: ListenAddress, index: number, seen: Map<string, number>): Generator<Judgement> {
  // Port 0 is another port each time.
  if (address.kind === "tcp" && address.port === 0) return;
  const canonical = canonicalAddress(address);
  const earlier = seen.get(canonical);
  if (earlier === undefined) seen.set(canonical, index);
  else yield error(["listeners", index, "address"], `listeners[${earlier}] has the same address`);
}

/** Whether it takes a proof to use any key: a socket may then be everybody's. */
function tellsCallersApart({ callerProofs, rules }: PartialShape): boolean {
  const hasProofs = [...callerProofs].some(([, caller]) => caller?.unix !== undefined || caller?.jwt !== undefined);
  const asksAlways = ({ callers }: { readonly callers?: unknown }) => callers !== undefined;
  return hasProofs && rules.every((rule) => rule?.allow?.every(asksAlways) === true);
}

function* checkUnix(listener: ListenerShape, path: KeyPath, toldApart: boolean): Generator<Judgement> {
  if (listener.insecure !== undefined) {
    yield error([...path, "insecure"], "a unix socket never leaves the machine; take this out", "key");
  }
  if (listener.tls !== undefined) {
    yield error([...path, "tls"], "a unix socket never leaves the machine; take this out", "key");
  }
  const others = Number.parseInt(listener.mode ?? "0", 8) & 0o007;
  const isForAll = toldApart && listener.caller === undefined;
  if (others !== 0 && !isForAll) yield warning([...path, "mode"], "every user of this machine can open the socket");
}

function* checkTcp(listener: ListenerShape, address: ListenAddress, path: KeyPath): Generator<Judgement> {
  for (const key of ["mode", "group"] as const) {
    if (listener[key] !== undefined) yield error([...path, key], "only a unix socket has this", "key");
  }
  yield* checkTls(listener, path);
  const isLocal = isLocalAddress(address);
  if (listener.tls !== undefined) return;
  if (!isLocal && listener.insecure !== true) {
    yield error(
      [...path, "address"],
      "other machines can reach this address, and it has no tls; give it tls, listen on loopback, or say insecure: true",
    );
  }
  if (isLocal && listener.insecure === true) {
    yield warning([...path, "insecure"], "this has no effect on a loopback address", "key");
  }
}

/** The first listener that other machines can reach. */
export function findOpenListener({ listeners }: PartialShape): number | undefined {
  const index = listeners.findIndex((listener) => {
    const address = listener === undefined ? "" : parseListenAddress(listener.address);
    return typeof address !== "string" && !isLocalAddress(address);
  });
  return index === -1 ? undefined : index;
}
