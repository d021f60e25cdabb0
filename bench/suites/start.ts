import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { KEY } from "../load/load.ts";
import type { PeerName, Peers } from "../peers/all.ts";
import { KEYD, keydConfig } from "../peers/keyd.ts";
import { bareEnvironment } from "../system/child.ts";
import { endedChildrenCpuMs, readUsage } from "../system/proc.ts";
import type { Workplace } from "../workplace.ts";
import { sopsClientEnvironment } from "./files.ts";

export interface StartResult {
  readonly what: string;
  /** Of the process until its first call was answered; of `exec`, beyond the command's own, from start to end. */
  readonly cpuMs: number;
}

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
const ONE_CALL = { inFlight: 1, connections: 1, seconds: 30, maxCalls: 1 };

/** CPU from the start of a key service to its first answered call. */
export async function measureStart(peers: Peers, name: PeerName, workplace: Workplace): Promise<StartResult> {
  await using upstream = await workplace.upstream("tls");
  await using peer = await peers[name].start(workplace.surroundings(upstream));
  const { failed, firstFailure } = await peer.drive(ONE_CALL);
  if (failed > 0) throw new Error(`the first call failed: ${firstFailure}`);
  return { what: peers[name].title, cpuMs: readUsage(peer.pid).cpuMs };
}

/** What `sops-keyd exec -- sops decrypt FILE` costs beyond `sops decrypt FILE`. */
export async function measureExec(peers: Peers, sops: string, workplace: Workplace): Promise<StartResult> {
  await using upstream = await workplace.upstream("tls");
  const surroundings = workplace.surroundings(upstream);
  const { directory } = surroundings;
  await using floor = await peers.null.start(workplace.surroundings(upstream));
  const env = sopsClientEnvironment(floor.address ?? "");
  writeFileSync(join(directory, "plain.yaml"), "password: bench\n");
  await run(sops, ["encrypt", "--gcp-kms", KEY, "--output", "file.yaml", "plain.yaml"], { cwd: directory, env });
  const config = join(directory, "config.yaml");
  writeFileSync(config, JSON.stringify(keydConfig(surroundings, "rest", join(directory, "unused.sock"))));

  const decrypt = [sops, "decrypt", "file.yaml"];
  const alone = await cpuOf(decrypt, { cwd: directory, env });
  const command = [...KEYD, "exec", "--config", config, "--", ...decrypt];
  const both = await cpuOf(command, { cwd: directory, env: bareEnvironment() });
  return { what: "sops-keyd exec -- sops decrypt, beyond sops itself", cpuMs: both - alone };
}

async function cpuOf(
  [file = "", ...args]: readonly string[],
  where: { readonly cwd: string; readonly env: Record<string, string> },
): Promise<number> {
  const before = endedChildrenCpuMs();
  const { stdout } = await run(file, args, { ...where, timeout: TIMEOUT_MS });
  if (!stdout.includes("password: bench")) throw new Error(`${file} did not decrypt what was encrypted`);
  return endedChildrenCpuMs() - before;
}
