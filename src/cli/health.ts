import type { Command } from "commander";
import { renderAddress } from "../config/address.ts";
import type { HealthTrust } from "../server/health-trust.ts";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "./exit.ts";

interface HealthOptions {
  readonly config?: string;
  readonly ca?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export function addHealthCommand(program: Command): void {
  program
    .command("health")
    .description("ask a running server whether it serves (grpc.health.v1), for probes")
    .argument("[address]", "unix:///path or tcp://host:port; default: the first listener of the config")
    .option("--config <file>", "take the address from this config")
    .option("--ca <file>", "ask by TLS: PEM file with the CAs that the server's certificate must be of")
    .option("--timeout <duration>", "how long to wait for the answer", "3s")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
Exit codes: 0 serving, 1 not serving or not reachable, 2 usage or config.

Examples:
  sops-keyd health unix:///run/sops-keyd/team-a.sock
  sops-keyd health tcp://127.0.0.1:5000 --json
  sops-keyd health tcp://keys.example.com:5443 --ca ca.crt

A listener of the config that has tls is known by its own certificate.`,
    )
    .action(runHealth);
}

async function runHealth(address: string | undefined, options: HealthOptions): Promise<void> {
  const { checkHealth } = await import("../server/health-client.ts");
  const { parseDurationOption } = await import("./options.ts");
  const timeoutMs = parseDurationOption("--timeout", options.timeout);
  const { target, trust } = await chooseTarget(address, options);
  if (/^(?!unix:|tcp:)[^:/]+:\/\//.test(target)) {
    throw new CommandError(`health ${target}: write it as unix:///path or tcp://host:port`, { exitCode: EXIT_USAGE });
  }
  const health = await checkHealth(target, timeoutMs, trust);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ address: target, ...health })}\n`);
  else if (health.serving) process.stdout.write(`${target} is serving\n`);
  if (health.serving) return;
  throw new CommandError(`${target} is not serving: ${health.reason}`, { exitCode: EXIT_FAILED });
}

interface Target {
  readonly target: string;
  readonly trust: HealthTrust | undefined;
}

async function chooseTarget(address: string | undefined, { config, ca }: HealthOptions): Promise<Target> {
  const authorities = ca === undefined ? undefined : await readTrust(ca, "authorities");
  if (address !== undefined) return { target: address, trust: authorities };
  const { firstListener } = await import("./listener-address.ts");
  const listener = await firstListener(config);
  const certificate = listener.kind === "tcp" ? listener.tls?.certificate : undefined;
  const own = certificate === undefined ? undefined : await readTrust(certificate, "server");
  return { target: renderAddress(listener), trust: authorities ?? own };
}

async function readTrust(path: string, of: HealthTrust["of"]): Promise<HealthTrust> {
  const { PemError, parseCertificates, readPem } = await import("../server/pem.ts");
  try {
    const certificates = parseCertificates(await readPem(path), path);
    // After the server's own come those of its CAs, by which others would be taken for it.
    const trusted = of === "server" ? certificates.slice(0, 1) : certificates;
    return { certificates: trusted.map(String).join(""), of };
  } catch (thrown) {
    if (thrown instanceof PemError) throw new CommandError(thrown.message, { exitCode: EXIT_USAGE, cause: thrown });
    throw thrown;
  }
}
