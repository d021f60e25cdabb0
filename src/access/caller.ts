import type { ListenerConfig } from "../config/config.ts";

/** Who asks, as far as the way in proves it. */
export interface Caller {
  /** The address of the listener that the call came by. */
  readonly listener: string;
  /** Whether that listener can be reached from this machine alone. */
  readonly local: boolean;
  /** The name that the config gives to whoever can open that listener. */
  readonly name: string | undefined;
}

const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)$/;

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** A listener's address as a sops user writes it. */
export function addressOf(listener: ListenerConfig): string {
  if (listener.kind === "unix") return `unix://${listener.path}`;
  return `tcp://${listener.host.includes(":") ? `[${listener.host}]` : listener.host}:${listener.port}`;
}

export function callerOf(listener: ListenerConfig): Caller {
  return {
    listener: addressOf(listener),
    local: listener.kind === "unix" || isLoopback(listener.host),
    name: listener.caller,
  };
}
