import { join, resolve } from "node:path";
import { isLoopbackHost, parseListenAddress, renderAddress } from "../config/address.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { type Environment, processEnvironment } from "../config/environment.ts";
import { loadActiveConfig } from "./active-config.ts";
import { CommandError, EXIT_USAGE } from "./exit.ts";

const DEFAULT_TCP_ADDRESS = "127.0.0.1:5000";

/** Where to listen: what the flags say, else the config, else a socket that only this user can open. */
export function chooseListeners(
  flags: { readonly network?: string; readonly address?: string },
  config: Config,
  environment: Environment,
): readonly ListenerConfig[] {
  if (flags.network !== undefined || flags.address !== undefined) return [listenerFromFlags(flags, environment)];
  return config.listeners.length > 0 ? config.listeners : [unixListener(defaultSocketPath(environment))];
}

/** The address that `health` asks where none is given. */
export async function listenerAddress(configFile: string | undefined): Promise<string> {
  const { config } = await loadActiveConfig(configFile, processEnvironment);
  const [first] = chooseListeners({}, config, processEnvironment);
  return first === undefined ? "" : renderAddress(first);
}

function listenerFromFlags(
  { network, address }: { readonly network?: string; readonly address?: string },
  environment: Environment,
): ListenerConfig {
  switch (network) {
    case "tcp":
      return tcpListener(address ?? DEFAULT_TCP_ADDRESS);
    case "unix":
      return unixListener(address === undefined ? defaultSocketPath(environment) : resolve(address));
    default:
      throw new CommandError("--network is tcp or unix; --address goes with it", { exitCode: EXIT_USAGE });
  }
}

function tcpListener(text: string): ListenerConfig {
  const address = parseListenAddress(`tcp://${text}`);
  if (typeof address === "string" || address.kind !== "tcp") {
    throw new CommandError(`--address ${text}: write it as host:port, such as ${DEFAULT_TCP_ADDRESS}`, {
      exitCode: EXIT_USAGE,
    });
  }
  if (!isLoopbackHost(address.host)) {
    throw new CommandError(
      `--address ${text}: other machines could reach it, in clear text\n` +
        "to do: use a loopback address, or a config with a listener that says `insecure: true` and rules that say `allow`",
      { exitCode: EXIT_USAGE },
    );
  }
  return { ...address, insecure: false, caller: undefined };
}

function unixListener(path: string): ListenerConfig {
  return { kind: "unix", path, mode: 0o600, group: undefined, caller: undefined };
}

/** In a directory that belongs to this user alone: never in /tmp, where somebody else could be there first. */
function defaultSocketPath(environment: Environment): string {
  const runtimeDirectory = environment.get("XDG_RUNTIME_DIR");
  if (runtimeDirectory !== undefined) return join(runtimeDirectory, "sops-keyd", "sops-keyd.sock");
  if (process.getuid?.() === 0) return "/run/sops-keyd/sops-keyd.sock";
  return join(environment.get("HOME") ?? "/", ".local", "state", "sops-keyd", "sops-keyd.sock");
}
