import { execFile } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { KEY } from "../load/load.ts";
import type { PeerName, Peers } from "../peers/all.ts";
import { bareEnvironment } from "../system/child.ts";
import type { Workplace } from "../workplace.ts";

export interface FilesResult {
  readonly peer: PeerName;
  readonly files: number;
  readonly seconds: number;
}

const AT_ONCE = 8;
const SOPS_TIMEOUT_MS = 60_000;

const run = promisify(execFile);

/** Decrypts `count` files by as many runs of the real sops, eight at a time, after they were encrypted by the same way. */
export async function measureFiles(
  peers: Peers,
  name: PeerName,
  sops: string,
  workplace: Workplace,
  count: number,
): Promise<FilesResult> {
  await using upstream = await workplace.upstream("tls");
  const surroundings = workplace.surroundings(upstream);
  await using peer = await peers[name].start(surroundings);
  const { directory } = surroundings;
  const env = sopsClientEnvironment(peer.address ?? "");
  const ask = (args: readonly string[]) =>
    run(sops, [...args], { cwd: directory, env, timeout: SOPS_TIMEOUT_MS }).then(({ stdout }) => stdout);

  writeFileSync(join(directory, "plain.yaml"), "password: bench\n");
  await ask(["encrypt", "--gcp-kms", KEY, "--output", "0.yaml", "plain.yaml"]);
  for (let index = 1; index < count; index++) {
    copyFileSync(join(directory, "0.yaml"), join(directory, `${index}.yaml`));
  }
  const startedMs = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const text = await ask(["decrypt", `${next++}.yaml`]);
      if (!text.includes("password: bench")) throw new Error("sops did not decrypt what it encrypted");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { peer: name, files: count, seconds: (performance.now() - startedMs) / 1_000 };
}

/** A sops that asks the key service at this address, and nothing but it. */
export function sopsClientEnvironment(address: string): Record<string, string> {
  return {
    ...bareEnvironment(),
    SOPS_KEYSERVICE: address,
    SOPS_ENABLE_LOCAL_KEYSERVICE: "false",
    SOPS_DISABLE_VERSION_CHECK: "true",
  };
}
