import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { startDriver } from "../load/driver.ts";
import { KEYD, keydConfig } from "../peers/keyd.ts";
import type { PeerSurroundings } from "../peers/peer.ts";
import { startKeyService } from "../peers/server.ts";
import type { Workplace } from "../workplace.ts";

/** How the other rule's Cloud KMS is: well, refusing connections, or taking them and saying nothing. */
export const NEIGHBOURS = ["well", "dead", "silent"] as const;
export type Neighbour = (typeof NEIGHBOURS)[number];

export interface IsolationResult {
  readonly neighbour: Neighbour;
  /** Of the rule that is well, while the other has load as well. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly callsPerSecond: number;
  readonly failed: number;
  /** Of the neighbour's calls; where it is ill, with its circuit open. */
  readonly neighbourP99Ms: number;
  readonly neighbourCalls: number;
}

/** Nothing listens on loopback's port 1. */
const DEAD = "https://127.0.0.1:1";
const LOAD = { inFlight: 4, connections: 4, seconds: 4, maxCalls: 100_000 };
const NEIGHBOUR_LOAD = { inFlight: 16, connections: 4, seconds: 4, maxCalls: 100_000 };
/** Longer than an attempt, so that the circuit of a silent endpoint is open before it is measured. */
const OPENING_SECONDS = 5;

/** What one rule's calls take while another rule's Cloud KMS is well or ill, one after the other on one server. */
export async function measureIsolation(workplace: Workplace): Promise<readonly IsolationResult[]> {
  await using upstream = await workplace.upstream("tls");
  await using silent = await startSilentServer();
  const surroundings = workplace.surroundings(upstream);
  const socket = writeConfig(surroundings, { well: upstream.url, dead: DEAD, silent: silent.url });
  const [file = "", ...args] = KEYD;
  const config = join(surroundings.directory, "config.yaml");
  const command = { file, args: [...args, "serve", "--config", config, "--json"], env: {}, socket };
  await using keyd = await startKeyService(command, surroundings);
  await keyd.drive({ ...LOAD, seconds: 2 });
  const results: IsolationResult[] = [];
  for (const neighbour of NEIGHBOURS) {
    await using other = await startDriver("ill-driver.ts", [socket, neighbour], surroundings.directory);
    await other.drive({ ...NEIGHBOUR_LOAD, seconds: neighbour === "silent" ? OPENING_SECONDS : 1 });
    const [own, others] = await Promise.all([keyd.drive(LOAD), other.drive(NEIGHBOUR_LOAD)]);
    results.push({
      neighbour,
      p50Ms: own.p50Ms,
      p99Ms: own.p99Ms,
      callsPerSecond: own.calls / own.seconds,
      failed: own.failed,
      neighbourP99Ms: others.p99Ms,
      neighbourCalls: others.calls,
    });
  }
  return results;
}

/** @returns the socket's path */
function writeConfig(surroundings: PeerSurroundings, endpoints: Readonly<Record<Neighbour, string>>): string {
  const socket = join(surroundings.directory, "keyd.sock");
  const document = keydConfig(surroundings, "rest", socket) as { readonly rules: readonly object[] };
  const neighbours = NEIGHBOURS.map((name) => ({
    name,
    match: `projects/${name}/locations/*/keyRings/*/cryptoKeys/*`,
    tokenSource: "bench",
    kms: { endpoint: endpoints[name] },
  }));
  const rules = [...document.rules, ...neighbours];
  writeFileSync(join(surroundings.directory, "config.yaml"), JSON.stringify({ ...document, rules }));
  return socket;
}

interface SilentServer extends AsyncDisposable {
  readonly url: string;
}

/** Takes connections and never says anything. */
async function startSilentServer(): Promise<SilentServer> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on("error", () => {}).resume());
    socket.once("close", () => open.delete(socket));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      return Promise.resolve();
    },
  };
}
