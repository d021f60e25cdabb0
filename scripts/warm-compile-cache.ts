import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { encodeBytesField } from "../src/server/wire-format.ts";

/**
 * Makes `compile-cache/` beside `dist/`, for an image whose file system is read-only: serves an emulated Cloud KMS, answers
 * one call, is asked for its health, and ends: V8 keeps a function only where it has run.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CACHE = join(ROOT, "compile-cache");
/** With its flags, as V8 takes nothing up that was compiled under others. */
const PROGRAM = join(ROOT, "bin", "sops-keyd");
const CONFIG = `version: 1
tokenSources: { any: { type: access_token, env: UNUSED } }
rules: [{ name: any, match: "projects/*/locations/*/keyRings/*/cryptoKeys/*", tokenSource: any }]
`;
const KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

function run(...args: readonly string[]): ChildProcess {
  return spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "inherit"] });
}

async function ended(child: ChildProcess): Promise<void> {
  const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
}

function encrypt(address: string): Promise<unknown> {
  const client = new Client(address, credentials.createInsecure());
  const resource = encodeBytesField(1, Buffer.from(KEY));
  const key = encodeBytesField(1, encodeBytesField(3, resource));
  const request = Buffer.concat([key, encodeBytesField(2, Buffer.alloc(32, 1))]);
  const asItIs = (bytes: Buffer) => bytes;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  client.makeUnaryRequest("/KeyService/Encrypt", asItIs, asItIs, request, (error, answer) =>
    error === null ? resolve(answer) : reject(error),
  );
  return promise.finally(() => client.close());
}

mkdirSync(CACHE, { recursive: true, mode: 0o755 });
const directory = mkdtempSync(join(tmpdir(), "keyd-warm-"));
const config = join(directory, "config.yaml");
writeFileSync(config, CONFIG);
try {
  const path = join(directory, "keyd.sock");
  const server = run("serve", "--emulator", "--json", "--config", config, "--network", "unix", "--address", path);
  if (server.stdout !== null) await once(server.stdout, "data");
  await encrypt(`unix://${path}`);
  await ended(run("health", `unix://${path}`));
  server.kill("SIGTERM");
  await ended(server);
  await ended(run("exec", "--config", config, "--", "true"));
} finally {
  rmSync(directory, { recursive: true });
}
// Node.js keeps them for who wrote them; here another user runs what root has built.
for (const entry of readdirSync(CACHE, { recursive: true, withFileTypes: true })) {
  if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o644);
}
