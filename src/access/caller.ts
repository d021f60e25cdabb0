/** Who asks, as far as it was proven. A closed union: a new way to prove it is a new kind, and the compiler lists what must learn it. */
export type Caller = LocalCaller;

/** Known only by the listener that it reached: whoever can open the socket. */
export interface LocalCaller {
  readonly kind: "local";
  /** The listener's address, for messages. */
  readonly listener: string;
  /** What the listener's `caller` says; undefined where it names nobody. */
  readonly name: string | undefined;
}

/** The name that `allow` knows this caller by. */
export function callerName(caller: Caller): string | undefined {
  switch (caller.kind) {
    case "local":
      return caller.name;
  }
}

/** The caller in a message: `caller team-a`, or where it came in. */
export function describeCaller(caller: Caller): string {
  switch (caller.kind) {
    case "local":
      return caller.name === undefined ? `a caller without a name at ${caller.listener}` : `caller ${caller.name}`;
  }
}
