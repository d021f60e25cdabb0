import { join, resolve } from "node:path";
import { isLoopbackHost, type ListenAddress, parseListenAddress } from "../config/address.ts";
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

/** The listener that `health` asks where no address is given. */
export async function firstListener(configFile: string | undefined): Promise<ListenerConfig> {
  const { config } = await loadActiveConfig(configFile, processEnvironment);
  const [first = unixListener(defaultSocketPath(processEnvironment))] = chooseListeners({}, config, processEnvironment);
  return first;
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
  return localListener(address);
}

function unixListener(path: string): ListenerConfig {
  return localListener({ kind: "unix", path });
}

/** A listener for whoever can reach it on this machine: with a unix socket, this user alone. */
export function localListener(address: ListenAddress): ListenerConfig {
  if (address.kind === "tcp") return { ...address, insecure: false, caller: undefined };
  return { ...address, mode: 0o600, group: undefined, caller: undefined };
}

function defaultSocketPath(environment: Environment): string {
  return privateSocketPath(environment, "sops-keyd.sock");
}

/** In a directory that belongs to this user alone: never in /tmp, where somebody else could be there first. */
export function privateSocketPath(environment: Environment, name: string): string {
  const runtimeDirectory = environment.get("XDG_RUNTIME_DIR");
  if (runtimeDirectory !== undefined) return join(runtimeDirectory, "sops-keyd", name);
  if (process.getuid?.() === 0) return join("/run/sops-keyd", name);
  return join(environment.get("HOME") ?? "/", ".local", "state", "sops-keyd", name);
}
