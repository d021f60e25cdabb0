import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { REFLECTION_PATHS } from "../../src/server/reflection.ts";
import { createKeyClient } from "../fakes/key-client.ts";
import { readReadiness } from "./harness/bench.ts";
import { startChild } from "./harness/child.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RUNTIME = dirname(process.execPath);
const KEY = { gcpKmsKey: { resourceId: "projects/shop/locations/global/keyRings/sops/cryptoKeys/prod" } };
const LIMITS = "--min-semi-space-size=4 --max-semi-space-size=4 --heap-growing-percent=30";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

/** What `npm install` would make of the packed package, with its own dependencies and nothing else in reach. */
function install(directory: string): void {
  const environment = {
    ...process.env,
    PATH: `${join(ROOT, "node_modules", ".bin")}${delimiter}${process.env["PATH"]}`,
  };
  const options = { cwd: ROOT, env: environment, encoding: "utf8", maxBuffer: 1e7 } as const;
  const packed = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--silent", "--pack-destination", directory], options),
  );
  const [{ filename }] = packed as [{ readonly filename: string }];
  execFileSync("tar", ["-xzf", join(directory, filename), "-C", directory]);
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  cpSync(join(directory, "package"), join(modules, "sops-keyd"), { recursive: true });
  symlinkSync("../sops-keyd/bin/sops-keyd", join(modules, ".bin", "sops-keyd"));
  const { dependencies } = JSON.parse(readFileSync(join(modules, "sops-keyd", "package.json"), "utf8")) as Manifest;
  for (const name of [...Object.keys(dependencies), "@types/node", "undici-types"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
}

/** `list_services: "*"`, the seventh field of a reflection request; its answer as it is. */
async function listServices(address: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const asItIs = (bytes: Buffer) => bytes;
  const stream = client.makeBidiStreamRequest(REFLECTION_PATHS[0], asItIs, asItIs);
  stream.write(Buffer.from("\x3a\x01*"));
  const [answer] = (await once(stream, "data")) as [Buffer];
  stream.end();
  client.close();
  return answer.toString("latin1");
}

describe("the packed package, installed elsewhere,", () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "keyd-package-")));
  after(() => rmSync(directory, { recursive: true, force: true }));
  install(directory);
  const program = join(directory, "node_modules", ".bin", "sops-keyd");
  const env = { PATH: `${RUNTIME}${delimiter}${process.env["PATH"]}`, HOME: directory, TMPDIR: directory };
  const start = (...args: readonly string[]) => startChild(program, args, { cwd: directory, env });
  const runNode = (file: string) =>
    execFileSync(process.execPath, [join(directory, file)], { cwd: directory, env, encoding: "utf8", timeout: 30_000 });

  test("says its version", async () => {
    await using child = start("--version");
    const { code, stdout, stderr } = await child.ended();
    assert.deepEqual([code, stdout.trim(), stderr], [0, "0.1.0", ""]);
  });

  test("serves, answers a round trip, reports its health and its protocol, and ends", async () => {
    const address = join(directory, "keyd.sock");
    await using child = start("serve", "--emulator", "--json", "--network", "unix", "--address", address);
    const ready = await readReadiness(child);
    const client = createKeyClient(ready.address);
    const plaintext = Buffer.alloc(32, 1);
    const ciphertext = await client.encrypt(KEY, plaintext);
    assert.deepEqual(await client.decrypt(KEY, ciphertext), plaintext);
    client.close();
    assert.match(await listServices(ready.address), /grpc\.health\.v1\.Health.*KeyService|KeyService.*grpc\.health/s);
    await using health = start("health", ready.address);
    assert.equal((await health.ended()).code, 0);
    child.signal("SIGTERM");
    assert.equal((await child.ended()).code, 0);
  });

  test("asks Cloud KMS by gRPC where a rule says so", async () => {
    const emulator = await startEmulator();
    const config = {
      version: 1,
      tokenSources: { shop: { type: "service_account", file: emulator.files.serviceAccount } },
      rules: [
        {
          name: "shop",
          match: "projects/*/locations/*/keyRings/*/cryptoKeys/*",
          tokenSource: "shop",
          kms: { transport: "grpc" },
        },
      ],
      google: { endpoints: { kms: emulator.url } },
    };
    writeFileSync(join(directory, "grpc.yaml"), JSON.stringify(config));
    const address = ["--network", "unix", "--address", join(directory, "grpc.sock")];
    await using child = start("serve", "--json", "--config", "grpc.yaml", ...address);
    const client = createKeyClient((await readReadiness(child)).address);
    assert.notEqual((await client.encrypt(KEY, Buffer.alloc(32, 1))).length, 0);
    client.close();
    await emulator.close();
  });

  test("reads a config and lists its mistakes", async () => {
    writeFileSync(join(directory, "bad.yaml"), "version: 1\nrules: 7\n");
    await using child = start("check", "--config", "bad.yaml");
    const { code, stderr } = await child.ended();
    assert.equal(code, 2);
    assert.match(stderr, /bad\.yaml:2/);
  });

  test("is a library: what it exports can be used", () => {
    const text = `import { KeyServiceError, loadConfig, parseCryptoKeyName, startEmulator } from "sops-keyd";
      const emulator = await startEmulator();
      console.log(parseCryptoKeyName("${KEY.gcpKmsKey.resourceId}"), new URL(emulator.url).hostname);
      await emulator.close();
      try { parseCryptoKeyName("x"); } catch (thrown) { console.log(thrown instanceof KeyServiceError); }
      await loadConfig("bad.yaml").catch(({ name }) => console.log(name));`;
    writeFileSync(join(directory, "use.mjs"), text);
    assert.equal(runNode("use.mjs"), `${KEY.gcpKmsKey.resourceId} 127.0.0.1\ntrue\nConfigError\n`);
  });

  test("has declarations that need nothing that is not installed with it", () => {
    const text = 'import * as keyd from "sops-keyd";\nexport const service: keyd.KeyService | undefined = undefined;\n';
    writeFileSync(join(directory, "use.mts"), text);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    const libraries = ["--lib", "es2024,esnext.disposable,esnext.error", "--skipLibCheck", "false"];
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    execFileSync(tsc, [...options, ...libraries, "use.mts"], { cwd: directory, env, stdio: "inherit" });
  });

  test("brings the licences of what is bundled into it", () => {
    const text = readFileSync(join(directory, "node_modules", "sops-keyd", "dist", "THIRD-PARTY-LICENCES.txt"), "utf8");
    for (const name of ["undici", "winston", "zod"]) assert.match(text, new RegExp(`^${name} \\d`, "m"));
  });
});

test("all ways to start it set the same limits of memory", () => {
  for (const file of ["bin/sops-keyd", "scripts/sops-keyd", "Dockerfile"]) {
    const text = readFileSync(join(ROOT, file), "utf8").replaceAll(/[",\\\n]| +(?= )/g, "");
    assert.ok(text.includes(LIMITS), file);
  }
});
