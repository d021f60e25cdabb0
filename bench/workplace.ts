import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerSurroundings } from "./peers/peer.ts";
import { startUpstream, type Upstream, type UpstreamName } from "./upstream.ts";

/** Where a bench keeps what it makes; all is gone when it is disposed of. */
export interface Workplace extends Disposable {
  upstream(name: UpstreamName): Promise<Upstream>;
  /** A new directory and a service account for one run of a peer. */
  surroundings(upstream: Upstream): PeerSurroundings;
}

/**
 * @param upstreamProgram as `buildUpstream` made it
 * @param profileDirectory where Node.js peers of ours write CPU profiles; undefined: they write none
 */
export function createWorkplace(upstreamProgram: string, profileDirectory?: string): Workplace {
  const root = mkdtempSync(join(tmpdir(), "keyd-bench-"));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  let count = 0;

  function createDirectory(): string {
    count += 1;
    const directory = join(root, String(count));
    mkdirSync(directory, { mode: 0o700 });
    return directory;
  }

  return {
    upstream: (name) => startUpstream(upstreamProgram, name, createDirectory()),
    surroundings(upstream) {
      const directory = createDirectory();
      const serviceAccountFile = join(directory, "service-account.json");
      writeFileSync(serviceAccountFile, JSON.stringify(serviceAccount(key, upstream.url)), { mode: 0o600 });
      return {
        upstream,
        directory,
        serviceAccountFile,
        ...(profileDirectory === undefined ? {} : { profileDirectory }),
      };
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

function serviceAccount(privateKey: string, tokenEndpoint: string) {
  return {
    type: "service_account",
    project_id: "bench",
    private_key_id: "bench",
    private_key: privateKey,
    client_email: "bench@bench.iam.gserviceaccount.com",
    client_id: "1",
    token_uri: `${tokenEndpoint}/token`,
  };
}
