import type { CallerShape } from "./callers.ts";
import { checkClearText, checkJwt } from "./check-jwt.ts";
import type { PartialShape } from "./document.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement, warning } from "./judgement.ts";

/** Exhaustive: a way that is missing here does not compile. */
const WAYS: Readonly<Record<keyof CallerShape, true>> = {
  unix: true,
  spiffe: true,
  dns: true,
  publicKey: true,
  jwt: true,
};

export function* checkCallers(config: PartialShape): Generator<Judgement> {
  for (const [name, caller] of config.callerProofs) {
    if (caller === undefined) continue;
    yield* checkCaller(caller, ["callers", name]);
    yield* checkUnmapped(caller, ["callers", name]);
    if (caller.jwt !== undefined) yield* checkJwt(caller.jwt, ["callers", name, "jwt"]);
  }
  yield* checkClearText(config);
  yield* checkWays(config);
}

/** A caller that no listener of the file lets prove itself; the command line may give others. */
function* checkWays({ callerProofs, listeners }: PartialShape): Generator<Judgement> {
  if (listeners.length === 0 || listeners.includes(undefined)) return;
  const hasSockets = listeners.some((listener) => listener?.address.startsWith("unix:") === true);
  const asksForCertificates = listeners.some((listener) => listener?.tls?.clientCa !== undefined);
  for (const [name, caller] of callerProofs) {
    const path = ["callers", name];
    if (caller?.unix !== undefined && !hasSockets) {
      yield warning(path, "nobody can be this caller: there is no unix listener", "key");
    }
    const isCertificate = caller?.spiffe !== undefined || caller?.dns !== undefined || caller?.publicKey !== undefined;
    if (isCertificate && !asksForCertificates) {
      yield warning(path, "nobody can be this caller: no listener has tls with clientCa", "key");
    }
  }
}

/** What Linux shows of every account that a container's user namespace does not map. */
const OVERFLOW_ID = 65_534;

function* checkUnmapped({ unix }: CallerShape, path: KeyPath): Generator<Judgement> {
  for (const key of ["uid", "gid"] as const) {
    if (unix?.[key] !== OVERFLOW_ID) continue;
    yield warning([...path, "unix", key], "in a container this may be any account that it does not map");
  }
}

function* checkCaller(caller: CallerShape, path: KeyPath): Generator<Judgement> {
  const ways = Object.keys(WAYS);
  const [first, second] = Object.entries(caller).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (first === undefined) yield error(path, `expected one of ${ways.join(", ")}, to say what proves it`, "key");
  if (second !== undefined) {
    yield error([...path, second], `${first} proves it already; make this a caller of its own`, "key");
  }
  if (caller.unix !== undefined && caller.unix.uid === undefined && caller.unix.gid === undefined) {
    yield error([...path, "unix"], "expected uid, gid or both; an empty entry would be every process");
  }
}
