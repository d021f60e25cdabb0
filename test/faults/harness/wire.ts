import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../../src/core/clock.ts";

/** What happens to the bytes between sops-keyd and Cloud KMS. */
export type WireFault =
  /** Nobody listens. */
  | "refused"
  /** Connections are made, and nothing ever comes back. */
  | "silent"
  /** A TCP reset as soon as something was asked. */
  | "reset-before"
  /** A TCP reset when half of what was answered is through. */
  | "reset-within"
  /** The end of the connection when half of what was answered is through. */
  | "truncated"
  /** A byte of the answer each second. */
  | "dripping"
  /** Something that is no HTTP. */
  | "garbage"
  /** What came is changed on the way. */
  | ((answered: Buffer) => Buffer);

/** A way to a server on loopback, by TCP, that a test can harm. Bytes pass as they are while it does not. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** From now on, for old connections and new ones; undefined mends it. */
  harm(fault: WireFault | undefined): Promise<void>;
  /** Connections that are made from now on go to another port, until the wire is mended; those that are open end. */
  redirect(port: number): void;
  /** A TCP reset for every connection that is open, at this moment. */
  resetAll(): void;
  /** The connections that are open die without a word: whoever writes to one is told then, and not before. */
  forgetAll(): void;
  /** How many connections are open. */
  readonly open: number;
}

const GARBAGE = Buffer.from("\x00\x01\xfe\xffSSH-2.0-OpenSSH_9.9\r\n\r\n", "latin1");

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  forgotten: boolean;
}

export async function openWire(upstreamPort: number, clock: Clock): Promise<Wire> {
  const pairs = new Set<Pair>();
  let fault: WireFault | undefined;
  let target = upstreamPort;
  let server = createServer(accept);

  function accept(client: Socket): void {
    const pair: Pair = { client, upstream: connect(target, "127.0.0.1"), forgotten: false };
    const { upstream } = pair;
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.once("close", () => {
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (bytes) => {
      if (pair.forgotten || fault === "reset-before") client.resetAndDestroy();
      else if (fault === "garbage") client.write(GARBAGE);
      else if (fault !== "silent") upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => answer(client, bytes));
  }

  function answer(client: Socket, bytes: Buffer): void {
    if (typeof fault === "function") {
      client.write(fault(bytes));
      return;
    }
    const half = bytes.subarray(0, bytes.length >> 1);
    switch (fault) {
      case "silent":
        return;
      case "reset-within":
        client.write(half, () => client.resetAndDestroy());
        return;
      case "truncated":
        client.end(half);
        return;
      case "dripping":
        drip(client, bytes, clock);
        return;
      default:
        client.write(bytes);
    }
  }

  const listen = (port: number): Promise<void> => listenOn(server, port);
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const resetAll = () => {
    for (const { client } of pairs) client.resetAndDestroy();
  };
  return {
    port,
    async harm(next) {
      if (fault === "refused") {
        server = createServer(accept);
        await listen(port);
      }
      fault = next;
      target = upstreamPort;
      if (next !== "refused") return;
      resetAll();
      await close(server);
    },
    redirect(next) {
      target = next;
      resetAll();
    },
    resetAll,
    forgetAll() {
      for (const pair of pairs) pair.forgotten = true;
    },
    get open() {
      return pairs.size;
    },
    async [Symbol.asyncDispose]() {
      resetAll();
      await close(server);
    },
  };
}

function drip(client: Socket, bytes: Buffer, clock: Clock): void {
  if (client.destroyed || bytes.length === 0) return;
  client.write(bytes.subarray(0, 1));
  clock.schedule(1_000, () => drip(client, bytes.subarray(1), clock));
}

function listenOn(server: Server, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(port, "127.0.0.1", resolve);
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}
