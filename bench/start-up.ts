import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createServer } from "node:tls";
import { parseArgs } from "node:util";
import { startEmulator } from "../src/emulator/emulator.ts";
import { createCertificate } from "../test/fakes/certificates.ts";
import { createKeyClient } from "../test/fakes/key-client.ts";

/**
 * What a start costs: CPU, time and memory from `serve` to the first answered call, and of `exec` around a command that
 * does nothing. A service account's key, TLS to an emulated Cloud KMS in this process; the programs take turns.
 *
 *     node bench/start-up.ts [--runs 7] [--no-config] [--json] ["node dist/main.js" "node src/main.ts" …]
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "7" },
    "no-config": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const PROGRAMS = positionals.length > 0 ? positionals : [`${process.execPath} dist/main.js`];
const RUNS = Number(options.runs);
/** Linux counts CPU in hundredths of a second. */
const TICK_MS = 10;
const KEY = "projects/shop/locations/europe-west1/keyRings/sops/cryptoKeys/prod";

interface Sample {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rssMiB: number;
}

interface Place {
  readonly directory: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** User and system time of a process that runs, its ended children's as well. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}

function rssMiBOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function start(program: string, args: readonly string[], { environment }: Place): ChildProcess {
  const [file = "", ...first] = program.split(" ");
  return spawn(file, [...first, ...args], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
}

async function measureServe(program: string, place: Place): Promise<Sample> {
  const startedAt = performance.now();
  const path = join(place.directory, "keyd.sock");
  const address = ["--network", "unix", "--address", path];
  const child = start(program, ["serve", "--json", ...address, ...place.args], place);
  const ended = once(child, "exit");
  try {
    if (child.stdout === null || child.pid === undefined) throw new Error(`${program} did not start`);
    await Promise.race([once(createInterface(child.stdout), "line"), ended.then(() => Promise.reject(program))]);
    const client = createKeyClient(`unix://${path}`);
    await client.encrypt({ gcpKmsKey: { resourceId: KEY } }, Buffer.alloc(32, 1));
    client.close();
    const wallMs = performance.now() - startedAt;
    return { cpuMs: cpuMsOf(child.pid), wallMs, rssMiB: rssMiBOf(child.pid) };
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** The shell waits for the one command, and so has its CPU among that of its ended children. */
async function measureExec(program: string, place: Place): Promise<Sample> {
  const startedAt = performance.now();
  const command = `${program} exec ${place.args.join(" ")} -- true; cat /proc/$$/stat`;
  const child = start("sh -c", [command], place);
  const [line] = (await once(createInterface(child.stdout ?? process.stdin), "line")) as [string];
  const ticks = line
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(13, 15);
  return {
    cpuMs: ticks.reduce((sum, each) => sum + Number(each) * TICK_MS, 0),
    wallMs: performance.now() - startedAt,
    rssMiB: 0,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const emulator = await startEmulator();
const certificate = createCertificate({ name: "bench", authority: true, address: "127.0.0.1" });
const tls = createServer({ cert: certificate.certificate, key: certificate.privateKey }, (socket) => {
  const upstream = connect(emulator.port, "127.0.0.1");
  socket.pipe(upstream).pipe(socket);
  socket.on("error", () => upstream.destroy());
  upstream.on("error", () => socket.destroy());
});
tls.listen(0, "127.0.0.1");
await once(tls, "listening");
const directory = mkdtempSync(join(tmpdir(), "keyd-start-up-"));
const { port } = tls.address() as { port: number };
const caFile = join(directory, "ca.pem");
writeFileSync(caFile, certificate.certificate);
const config = join(directory, "config.yaml");
const kms = `https://127.0.0.1:${port}`;
writeFileSync(
  config,
  `version: 1
tokenSources: { shop: { type: service_account, file: ${emulator.files.serviceAccount} } }
rules: [{ name: shop, match: "projects/*/locations/*/keyRings/*/cryptoKeys/*", tokenSource: shop }]
google: { endpoints: { kms: "${kms}" }, caFile: ${caFile} }
`,
);
const standIn = {
  GOOGLE_CREDENTIALS: emulator.files.serviceAccount,
  SOPS_GCP_KMS_ENDPOINT: kms,
  NODE_EXTRA_CA_CERTS: caFile,
};
const place: Place = {
  directory,
  args: options["no-config"] ? [] : ["--config", config],
  environment: {
    PATH: process.env["PATH"],
    HOME: directory,
    METADATA_SERVER_DETECTION: "none",
    ...(options["no-config"] ? standIn : {}),
  },
};
const kinds = { serve: measureServe, exec: measureExec } as const;
const results = new Map<string, Sample[]>();
// The first round fills caches and is not counted.
for (let run = 0; run <= RUNS; run += 1) {
  for (const program of PROGRAMS) {
    for (const [kind, measure] of Object.entries(kinds)) {
      const sample = await measure(program, place);
      const name = `${kind}: ${program}`;
      if (run > 0) results.set(name, [...(results.get(name) ?? []), sample]);
    }
  }
}
tls.close();
await emulator.close();
rmSync(directory, { recursive: true });
for (const [name, samples] of results) {
  const cpu = samples.map(({ cpuMs }) => cpuMs);
  const row = {
    name,
    cpuMs: median(cpu),
    cpuMsLowest: Math.min(...cpu),
    cpuMsHighest: Math.max(...cpu),
    wallMs: Math.round(median(samples.map(({ wallMs }) => wallMs))),
    rssMiB: Math.round(median(samples.map(({ rssMiB }) => rssMiB))),
  };
  console.log(
    options.json
      ? JSON.stringify(row)
      : `cpu ${row.cpuMs} ms (${row.cpuMsLowest}–${row.cpuMsHighest}), wall ${row.wallMs} ms, rss ${row.rssMiB} MiB  ${name}`,
  );
}
process.exit();
