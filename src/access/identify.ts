import type { CallerConfig } from "../config/callers.ts";
import type { Caller, Proof } from "./caller.ts";

/** The same caller with every name of the config that its proofs fit. */
export type Identify = (caller: Caller) => Caller;

/**
 * Turns proofs into names: those that a listener gives, and those of `callers`, all that fit. Pure, and the only place
 * that does so; the server and `explain` both ask here.
 *
 * @param callers accounts by number: what was given by name is looked up before, by `resolveAccounts`
 */
export function createIdentify(callers: ReadonlyMap<string, CallerConfig>): Identify {
  // One look-up for each fact of a proof, whatever the number of callers.
  const namesByFact = new Map<string, string[]>();
  for (const [name, caller] of callers) {
    const fact = factOf(caller);
    if (fact === undefined) continue;
    const names = namesByFact.get(fact);
    if (names === undefined) namesByFact.set(fact, [name]);
    else names.push(name);
  }

  const namesOf = (proof: Proof): readonly string[] => [
    ...(proof.kind === "listener" && proof.caller !== undefined ? [proof.caller] : []),
    ...(proof.kind === "jwt" ? proof.callers : []),
    ...factsOf(proof).flatMap((fact) => namesByFact.get(fact) ?? []),
  ];

  return (caller) => ({ ...caller, names: [...new Set(caller.proofs.flatMap(namesOf))] });
}

/** What a caller of the config asks for. */
function factOf(caller: CallerConfig): string | undefined {
  switch (caller.kind) {
    case "unix":
      return peerFact(caller.uid, caller.gid);
    case "spiffe":
      return `spiffe ${caller.spiffeId}`;
    case "dns":
      return `dns ${caller.name}`;
    case "public_key":
      return `key ${caller.publicKeySha256}`;
    case "jwt":
      // What a token must say is more than one fact: its verifier finds the callers, and the proof names them.
      return undefined;
  }
}

/** Everything that a proof shows and that a caller of the config could ask for. */
function factsOf(proof: Proof): readonly string[] {
  switch (proof.kind) {
    case "unix_peer":
      return [peerFact(proof.uid, undefined), peerFact(undefined, proof.gid), peerFact(proof.uid, proof.gid)];
    case "certificate":
      return [
        ...(proof.spiffeId === undefined ? [] : [`spiffe ${proof.spiffeId}`]),
        ...proof.dnsNames.map((name) => `dns ${name}`),
        `key ${proof.publicKeySha256}`,
      ];
    case "listener":
    case "jwt":
      return [];
  }
}

function peerFact(uid: number | string | undefined, gid: number | string | undefined): string {
  return `uid ${uid ?? "any"} gid ${gid ?? "any"}`;
}
