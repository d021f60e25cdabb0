/** The benchmark: `npm run bench`. See USAGE in options.ts, and docs/performance.md. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { createPeers } from "./peers/all.ts";
import { findSops } from "./peers/sops.ts";
import { writeDocuments } from "./report/document.ts";
import { renderTables } from "./report/tables.ts";
import { renderTargets } from "./report/targets.ts";
import { type Machine, openResults } from "./results.ts";
import { planTasks } from "./tasks.ts";
import { buildUpstream } from "./upstream.ts";
import { createWorkplace } from "./workplace.ts";

async function main(options: BenchOptions): Promise<void> {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  say("building sops-keyd and the upstream, looking for sops");
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
  const sops = await findSops();
  const peers = createPeers(sops);
  const args = process.argv.slice(2);
  const command = args.length === 0 ? "npm run bench" : `npm run bench -- ${args.join(" ")}`;
  const results = openResults(options.jsonFile, options.resume, command, describeMachine(sops));
  using workplace = createWorkplace(await buildUpstream(), options.profileDirectory);
  const tasks = planTasks(options, { peers, sops, workplace, results });
  const startedMs = performance.now();
  for (const [index, task] of tasks.entries()) {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0).padStart(4);
    say(`${seconds} s  ${index + 1}/${tasks.length}  ${task.title}`);
    await task.run().catch((thrown: unknown) => {
      say(`        NOT MEASURED: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      process.exitCode = 1;
    });
  }
  const { document } = results;
  process.stdout.write(`${renderTables(document, peers)}\n\n${renderTargets(document)}\n`);
  if (options.writeDocs) writeDocuments(document, peers);
  say(`results: ${options.jsonFile}`);
}

function describeMachine(sops: string): Machine {
  const version = execFileSync(sops, ["--version", "--disable-version-check"], { encoding: "utf8" });
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    sops: /^sops ([0-9.]+)/.exec(version)?.[1] ?? version.trim(),
    loadAverage: loadavg()[0] ?? 0,
  };
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${USAGE}\n`);
  else await main(options);
} catch (thrown) {
  process.stderr.write(`bench: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
}
