/** Who asks, as far as it was proven. */
export interface Caller {
  /** The address of the listener that it came by, for messages. */
  readonly listener: string;
  /** Every name of the config that its proofs fit, as `identify.ts` finds them; `allow` knows it by any of them. */
  readonly names: readonly string[];
  /** What it has shown of itself; what comes by a listener has shown at least that. */
  readonly proofs: readonly Proof[];
}

/** How an identity was proven. A closed union: a new way is a new kind, and the compiler lists what must learn it. */
export type Proof = ListenerProof | UnixPeerProof | CertificateProof | JwtProof;

/** It could open the socket: the file system, or the network, decides who can. */
export interface ListenerProof {
  readonly kind: "listener";
  /** The name that the listener gives to whoever comes by it. */
  readonly caller: string | undefined;
}

/** The process at the other end of a unix socket, as the kernel names it. */
export interface UnixPeerProof {
  readonly kind: "unix_peer";
  readonly uid: number;
  readonly gid: number;
  /** For records alone: a process id is given out again, so nothing is decided by it. */
  readonly pid: number;
}

/** A client certificate that TLS verified. */
export interface CertificateProof {
  readonly kind: "certificate";
  /** The only URI of it, where that is a SPIFFE id. */
  readonly spiffeId: string | undefined;
  /** Its URIs where they are no SPIFFE id, for messages: nobody is known by them. */
  readonly rejectedUris?: readonly string[];
  readonly dnsNames: readonly string[];
  /** SHA-256 of its SubjectPublicKeyInfo, base64. */
  readonly publicKeySha256: string;
}

/** A JWT whose signature, issuer, audience, times and claims were verified. */
export interface JwtProof {
  readonly kind: "jwt";
  readonly issuer: string;
  readonly subject: string | undefined;
  /** The callers of the config whose audience and claims it has. */
  readonly callers: readonly string[];
}

/** A caller of whom nothing is known but where it came in, with the listener's name for it if it has one. */
export function callerAt(listener: string, name: string | undefined): Caller {
  return { listener, names: name === undefined ? [] : [name], proofs: [{ kind: "listener", caller: name }] };
}

/** The same caller, who has shown something more; its names are to be found anew. */
export function withProof(caller: Caller, proof: Proof): Caller {
  return { ...caller, proofs: [...caller.proofs, proof] };
}

/** The caller in a message: `caller team-a`, or where it came in and what it has shown. */
export function describeCaller({ names, listener, proofs }: Caller): string {
  if (names.length > 0) return `caller ${names.join(", ")}`;
  const shown = proofs.flatMap((proof) => describeProof(proof) ?? []);
  return `a caller without a name at ${listener}${shown.length === 0 ? "" : ` (${shown.join("; ")})`}`;
}

/** What a proof shows, in words that its owner knows; undefined where that is nothing but a listener. */
export function describeProof(proof: Proof): string | undefined {
  switch (proof.kind) {
    case "listener":
      return undefined;
    case "unix_peer":
      return `uid ${proof.uid}, gid ${proof.gid}`;
    case "certificate":
      return describeCertificate(proof);
    case "jwt":
      return `token of ${proof.issuer} for ${proof.subject ?? "nobody by name"}`;
  }
}

function describeCertificate({ spiffeId, rejectedUris, dnsNames, publicKeySha256 }: CertificateProof): string {
  if (spiffeId !== undefined) return `certificate of ${spiffeId}`;
  const holder = [...dnsNames, `key sha256//${publicKeySha256}`].join(", ");
  if (rejectedUris === undefined) return `certificate of ${holder}`;
  const { length } = rejectedUris;
  const problem = length === 1 ? "whose URI is no workload's SPIFFE id" : `with ${length} URIs instead of one`;
  return `certificate of ${holder}, ${problem}`;
}
