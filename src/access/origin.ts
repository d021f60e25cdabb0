import { isLocalAddress, renderAddress } from "../config/address.ts";
import type { CallerConfig, Config, ListenerConfig } from "../config/config.ts";
import { resolveAccounts } from "./accounts.ts";
import { type Caller, callerAt, type Proof } from "./caller.ts";
import { createIdentify } from "./identify.ts";

/** No process has it: stands for a uid or gid that a caller of the config leaves open. */
const ANY_ID = -1;

/** Where a request is taken to come from that has only a caller's name. */
export interface Origin {
  readonly caller: Caller;
  readonly isLocal: boolean;
  /** What the reader may have overlooked. */
  readonly notes: readonly string[];
}

/** A process by what the kernel would say of it; what is undefined is nobody's. */
export interface AskingProcess {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Who is to be taken to ask: a caller by its name, a process, or somebody without a name. */
export type Asker = string | AskingProcess | undefined;

/**
 * A caller of this name as the server would meet it: by the listener that gives the name, or else with the proof that
 * `callers` asks for, by the first listener that such a proof can be shown to. It has all names that fit.
 *
 * @throws ConfigError where a caller is an account that there is not
 */
export function findOrigin(config: Config, asker: Asker): Origin {
  const { caller, ...where } = typeof asker === "object" ? findSocket(config, asker) : findUnnamed(config, asker);
  return { ...where, caller: createIdentify(resolveAccounts(config.callers))(caller) };
}

/** A process by the first unix socket; whether it may open that is for the file system to say. */
function findSocket(config: Config, { uid = ANY_ID, gid = ANY_ID }: AskingProcess): Origin {
  const proofs: readonly Proof[] = [{ kind: "unix_peer", uid, gid, pid: 0 }];
  const listener = config.listeners.find(({ kind }) => kind === "unix");
  if (listener !== undefined) return originAt(listener, proofs);
  const caller = withProofs(callerAt("a unix socket that is not in the config", undefined), proofs);
  return { caller, isLocal: true, notes: ["no listener of the config is a unix socket"] };
}

function findUnnamed(config: Config, name: string | undefined): Origin {
  const naming = config.listeners.find((each) => each.caller === name);
  if (naming !== undefined) return originAt(naming, []);
  const proven = name === undefined ? undefined : resolveAccounts(config.callers).get(name);
  if (proven === undefined) {
    return {
      caller: callerAt("a local listener", name),
      isLocal: true,
      notes: describeUnknown(config.listeners, name),
    };
  }
  const proofs = [proofFor(name ?? "", proven)];
  const listener = config.listeners.find((each) => canShow(each, proven));
  if (listener !== undefined) return originAt(listener, proofs);
  const caller = withProofs(callerAt("a listener that is not in the config", undefined), proofs);
  return { caller, isLocal: proven.kind === "unix", notes: [`no listener of the config lets ${name} prove who it is`] };
}

function originAt(listener: ListenerConfig, proofs: readonly Proof[]): Origin {
  const caller = withProofs(callerAt(renderAddress(listener), listener.caller), proofs);
  return { caller, isLocal: isLocalAddress(listener), notes: [] };
}

function withProofs(caller: Caller, proofs: readonly Proof[]): Caller {
  return { ...caller, proofs: [...caller.proofs, ...proofs] };
}

function canShow(listener: ListenerConfig, caller: CallerConfig): boolean {
  if (caller.kind === "jwt") return true;
  if (caller.kind === "unix") return listener.kind === "unix";
  return listener.kind === "tcp" && listener.tls?.clientCa !== undefined;
}

/** The least that this caller has to show. */
function proofFor(name: string, caller: CallerConfig): Proof {
  switch (caller.kind) {
    case "unix":
      return { kind: "unix_peer", uid: Number(caller.uid ?? ANY_ID), gid: Number(caller.gid ?? ANY_ID), pid: 0 };
    case "spiffe":
      return { kind: "certificate", spiffeId: caller.spiffeId, dnsNames: [], publicKeySha256: "" };
    case "dns":
      return { kind: "certificate", spiffeId: undefined, dnsNames: [caller.name], publicKeySha256: "" };
    case "public_key":
      return { kind: "certificate", spiffeId: undefined, dnsNames: [], publicKeySha256: caller.publicKeySha256 };
    case "jwt":
      return { kind: "jwt", issuer: caller.issuer, subject: undefined, callers: [name] };
  }
}

function describeUnknown(listeners: readonly ListenerConfig[], name: string | undefined): readonly string[] {
  if (name !== undefined) return [`neither a listener nor callers of the config has the name ${name}`];
  if (listeners.length === 0) return [];
  return ["every listener of the config names its callers; say which with --caller"];
}
