import type { Endpoint } from "./routes.ts";

/** What goes wrong. */
export type FaultEffect =
  /** The answer comes late. */
  | { readonly kind: "latency"; readonly ms: number }
  /** Another HTTP status, with Google's error body for it unless one is given. `retryAfter` is in seconds. */
  | {
      readonly kind: "status";
      readonly code: number;
      readonly body?: string | Readonly<Record<string, unknown>>;
      readonly retryAfter?: number;
    }
  /** A web page where JSON should be, as from a proxy or a captive portal; the status is 200 unless given. */
  | { readonly kind: "html"; readonly code?: number }
  | { readonly kind: SimpleFaultKind };

export type SimpleFaultKind =
  /** Never answers; the connection stays open. */
  | "hang"
  /** Ends the connection with a TCP reset. */
  | "reset"
  /** Announces the whole answer, sends half of it, and ends the connection. */
  | "truncate"
  /** One bit of the payload is another; its checksum is not. */
  | "corrupt"
  /** The checksum is another. */
  | "wrong-crc"
  /** The answer names another key. */
  | "wrong-name"
  /** An answer with nothing in it, and the checksum of nothing. */
  | "empty"
  /** The answer does not say that the checksum of the request was verified. */
  | "unverified";

export type FaultSpec = FaultEffect & {
  readonly endpoint: Endpoint | "*";
  /** A key's name, an email address, a client id, an audience; a `*` at its end stands for any rest. */
  readonly resource?: string;
  /** Left out: until it is cleared. */
  readonly times?: number;
};

export interface SetFault {
  readonly id: string;
  readonly spec: FaultSpec;
  /** Undefined: any number. */
  readonly timesLeft: number | undefined;
}

/** What one request meets: any delays add up, and of the other faults the first one set. */
export interface TakenFaults {
  readonly delayMs: number;
  readonly effect: Exclude<FaultEffect, { readonly kind: "latency" }> | undefined;
}

export interface Faults {
  /** @returns its id. @throws RangeError where it could never have an effect, or there are too many */
  add(spec: FaultSpec): string;
  list(): readonly SetFault[];
  clear(id?: string): void;
  take(endpoint: Endpoint, resource: string | undefined): TakenFaults;
}

const MAX_FAULTS = 100;

export function createFaults(): Faults {
  const faults: { readonly id: string; readonly spec: FaultSpec; timesLeft: number | undefined }[] = [];
  let lastId = 0;

  const remove = (id: string | undefined): void => {
    if (id === undefined) faults.length = 0;
    const index = faults.findIndex((fault) => fault.id === id);
    if (index !== -1) faults.splice(index, 1);
  };

  const use = (fault: (typeof faults)[number]): void => {
    if (fault.timesLeft === undefined) return;
    fault.timesLeft--;
    if (fault.timesLeft <= 0) remove(fault.id);
  };

  return {
    add(spec) {
      if (faults.length >= MAX_FAULTS) throw new RangeError(`there are already ${MAX_FAULTS} faults: clear some`);
      checkEffect(spec);
      const id = `fault-${++lastId}`;
      faults.push({ id, spec, timesLeft: spec.times });
      return id;
    },
    list: () => faults.map((fault) => ({ ...fault })),
    clear: remove,
    take(endpoint, resource) {
      const met = faults.filter(({ spec }) => matches(spec, endpoint, resource));
      const first = met.find(({ spec }) => spec.kind !== "latency");
      let delayMs = 0;
      let effect: TakenFaults["effect"];
      for (const fault of met) {
        const { spec } = fault;
        if (spec.kind === "latency") delayMs += spec.ms;
        else if (fault === first) effect = spec;
        else continue;
        use(fault);
      }
      return { delayMs, effect };
    },
  };
}

function matches(spec: FaultSpec, endpoint: Endpoint, resource: string | undefined): boolean {
  if (spec.endpoint !== "*" && spec.endpoint !== endpoint) return false;
  if (spec.endpoint === "*" && !hasEffect(spec.kind, endpoint)) return false;
  if (spec.resource === undefined) return true;
  if (resource === undefined) return false;
  return spec.resource.endsWith("*") ? resource.startsWith(spec.resource.slice(0, -1)) : resource === spec.resource;
}

/** A fault that does nothing makes a test that proves nothing. */
function checkEffect({ kind, endpoint }: FaultSpec): void {
  if (endpoint !== "*" && !hasEffect(kind, endpoint)) {
    throw new RangeError(`a fault of the kind ${kind} has no effect on ${endpoint}`);
  }
}

const WITH_TOKEN: readonly Endpoint[] = [
  "oauth.token",
  "sts.token",
  "sts.oauthtoken",
  "gdch.token",
  "iam.generateAccessToken",
  "metadata.token",
];

function hasEffect(kind: FaultEffect["kind"], endpoint: Endpoint): boolean {
  switch (kind) {
    case "corrupt":
    case "empty":
      return endpoint === "kms.encrypt" || endpoint === "kms.decrypt" || WITH_TOKEN.includes(endpoint);
    case "wrong-crc":
      return endpoint === "kms.encrypt" || endpoint === "kms.decrypt";
    case "wrong-name":
    case "unverified":
      return endpoint === "kms.encrypt";
    case "latency":
    case "status":
    case "html":
    case "hang":
    case "reset":
    case "truncate":
      return true;
  }
}
