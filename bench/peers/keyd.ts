import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NODE_WARM_UP_CALLS, type Peer, type PeerSurroundings } from "./peer.ts";
import { type KeyServiceCommand, startKeyService } from "./server.ts";

const ROOT = join(import.meta.dirname, "../..");

/** What a user has installed: the launcher of the compiled program. */
export const KEYD: readonly string[] = [join(ROOT, "bin", "sops-keyd")];

export type Transport = "rest" | "grpc";

/** sops-keyd with a service account, as a config has it. @param audit the config's section of that name */
export function createKeydPeer(transport: Transport, audit?: object): Peer {
  const audited = audit === undefined ? "" : ", audited";
  return {
    title: `sops-keyd, ${transport === "rest" ? "REST" : "gRPC"}${audited}`,
    needsTls: transport === "grpc",
    warmUpCalls: NODE_WARM_UP_CALLS,
    start: (surroundings) => startKeyService(keydCommand(surroundings, transport, audit), surroundings),
  };
}

export function keydCommand(surroundings: PeerSurroundings, transport: Transport, audit?: object): KeyServiceCommand {
  const { directory, profileDirectory } = surroundings;
  const config = join(directory, "config.yaml");
  const socket = join(directory, "keyd.sock");
  const document = keydConfig(surroundings, transport, socket);
  writeFileSync(config, JSON.stringify(audit === undefined ? document : { ...document, audit }));
  const [file = "", ...args] = profileDirectory === undefined ? KEYD : profiledKeyd(profileDirectory);
  return { file, args: [...args, "serve", "--config", config, "--json"], env: {}, socket };
}

/** From its sources, so that a profile has their names; the profile is written when it ends. */
function profiledKeyd(directory: string): readonly string[] {
  return [process.execPath, "--cpu-prof", `--cpu-prof-dir=${directory}`, join(ROOT, "src", "main.ts")];
}

/** JSON is YAML. */
export function keydConfig(
  { upstream, serviceAccountFile }: PeerSurroundings,
  transport: Transport,
  socket: string,
): object {
  const { url, caFile } = upstream;
  return {
    version: 1,
    listeners: [{ address: `unix://${socket}` }],
    tokenSources: { bench: { type: "service_account", file: serviceAccountFile, grant: "oauth" } },
    rules: [
      {
        name: "bench",
        match: "projects/bench/locations/*/keyRings/*/cryptoKeys/*",
        tokenSource: "bench",
        ...(transport === "rest" ? {} : { kms: { transport } }),
      },
    ],
    google: { endpoints: { kms: url, oauth2: url }, ...(caFile === undefined ? {} : { caFile }) },
  };
}
