import type { Command } from "commander";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";

interface HealthOptions {
  readonly config?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function addHealthCommand(program: Command): void {
  program
    .command("health")
    .description("ask a running server whether it serves (grpc.health.v1), for probes")
    .argument("[address]", "unix:///path or tcp://host:port; default: the first listener of the config")
    .option("--config <file>", "take the address from this config")
    .option("--timeout <duration>", "how long to wait for the answer", "3s")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
Exit codes: 0 serving, 1 not serving or not reachable, 2 usage or config.

Examples:
  sops-keyd health unix:///run/sops-keyd/team-a.sock
  sops-keyd health tcp://127.0.0.1:5000 --json`,
    )
    .action(runHealth);
}

async function runHealth(address: string | undefined, options: HealthOptions): Promise<void> {
  const { checkHealth } = await import("../server/health-client.ts");
  const { listenerAddress } = await import("./listener-address.ts");
  const { parseDurationOption } = await import("./options.ts");
  const timeoutMs = parseDurationOption("--timeout", options.timeout);
  const target = address ?? (await listenerAddress(options.config));
  if (/^(?!unix:|tcp:)[^:/]+:\/\//.test(target)) {
    throw new CommandError(`health ${target}: write it as unix:///path or tcp://host:port`, { exitCode: EXIT_USAGE });
  }
  const health = await checkHealth(target, timeoutMs);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ address: target, ...health })}\n`);
  else if (health.serving) process.stdout.write(`${target} is serving\n`);
  if (health.serving) return;
  throw new CommandError(`${target} is not serving: ${health.reason}`, { exitCode: EXIT_FAILED });
}
