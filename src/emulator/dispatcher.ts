import type { Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import { readBody } from "./body.ts";
import { distort, htmlReply, statusReply } from "./distort.ts";
import type { Faults, TakenFaults } from "./faults.ts";
import type { HttpRequest, HttpResponse, RequestListener } from "./http.ts";
import { toTimestamp } from "./kms-json.ts";
import { googleRefusal, Refusal } from "./refusals.ts";
import type { RequestLog } from "./request-log.ts";
import { type Call, type EmulatorRequest, findRoute, type Reply, type Route, type RouteMatch } from "./routes.ts";
import { restWire, type Wire } from "./wire.ts";

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly routes: readonly Route[];
  readonly faults: Faults;
  readonly log: RequestLog;
  /** Answers paths under `/emulator/`; faults do not touch them and the log does not have them. */
  readonly answerAdmin: (request: EmulatorRequest) => Promise<Reply>;
  /** Fires when the emulator closes: whoever waits for a delayed answer is then let go. */
  readonly signal: AbortSignal;
  /** The connection that a request came by, for faults to break. */
  readonly socketOf: (message: HttpRequest) => Socket | undefined;
  /** Told of what the emulator itself did wrong. */
  readonly onInternalError: (error: unknown) => void;
}

/** What is done with a request in the end. */
type Outcome =
  | { readonly kind: "reply"; readonly reply: Reply; readonly truncated: boolean }
  | { readonly kind: "hang" }
  | { readonly kind: "reset" };

export function createDispatcher(options: DispatcherOptions): RequestListener {
  return (message, response) => {
    serve(message, response, options).catch(() => options.socketOf(message)?.destroy());
  };
}

async function serve(message: HttpRequest, response: HttpResponse, options: DispatcherOptions): Promise<void> {
  const wire = await wireOf(message);
  const outcome = await decide(message, wire, options).catch((error) => whole(replyToError(error, options)));
  switch (outcome.kind) {
    case "hang":
      return;
    case "reset":
      options.socketOf(message)?.resetAndDestroy();
      return;
    case "reply":
      wire.send(outcome.reply, response, outcome.truncated ? () => options.socketOf(message)?.destroy() : undefined);
  }
}

/** gRPC is always over HTTP/2. Cloud KMS' descriptors are large: they are read when the first call by gRPC comes. */
async function wireOf(message: HttpRequest): Promise<Wire> {
  const { httpVersionMajor, headers } = message;
  if (httpVersionMajor !== 2 || !headers["content-type"]?.startsWith("application/grpc")) return restWire;
  const { grpcWireFor } = await import("./grpc-wire.ts");
  return grpcWireFor(message);
}

async function decide(message: HttpRequest, wire: Wire, options: DispatcherOptions): Promise<Outcome> {
  const request = wire.read(message, await readBody(message));
  if (request.path.startsWith("/emulator/")) return whole(await options.answerAdmin(request));
  const match = findRoute(options.routes, request.method, request.path);
  if (match === undefined) {
    const { log, clock } = options;
    log.add({ time: toTimestamp(clock.nowMs()), endpoint: "unknown", status: 404 });
    throw googleRefusal("NOT_FOUND", "The emulator has nothing at this path, or not with this method.");
  }
  return dispatch(request, match, options);
}

async function dispatch(
  request: EmulatorRequest,
  { route, params }: RouteMatch<Route>,
  options: DispatcherOptions,
): Promise<Outcome> {
  const { clock, faults, log } = options;
  const call: Call = { request, params, principal: undefined };
  const resource = route.resource(call);
  const taken = faults.take(route.endpoint, resource);
  if (taken.delayMs > 0) await wait(clock, taken.delayMs, options.signal);
  const outcome = await decideOutcome(call, route, taken, options);
  const reason = request.headers["x-goog-request-reason"];
  const fault = taken.effect?.kind ?? (taken.delayMs > 0 ? "latency" : undefined);
  log.add({
    time: toTimestamp(clock.nowMs()),
    endpoint: route.endpoint,
    ...(resource !== undefined && { resource }),
    ...(call.principal !== undefined && { principal: call.principal }),
    ...(typeof reason === "string" && { reason }),
    status: outcome.kind === "reply" ? outcome.reply.status : 0,
    ...(fault !== undefined && { fault }),
  });
  return outcome;
}

async function decideOutcome(
  call: Call,
  route: Route,
  { effect }: TakenFaults,
  options: DispatcherOptions,
): Promise<Outcome> {
  switch (effect?.kind) {
    case "hang":
    case "reset":
      return { kind: effect.kind };
    case "status":
      return whole(statusReply(effect, route.endpoint));
    case "html":
      return whole(htmlReply(effect.code));
    default: {
      const reply = await answer(call, route, options);
      if (effect === undefined) return whole(reply);
      return {
        kind: "reply",
        reply: distort(reply, effect.kind, route.endpoint),
        truncated: effect.kind === "truncate",
      };
    }
  }
}

async function answer(call: Call, route: Route, options: DispatcherOptions): Promise<Reply> {
  try {
    return await route.answer(call);
  } catch (error) {
    return replyToError(error, options);
  }
}

function replyToError(error: unknown, { onInternalError }: DispatcherOptions): Reply {
  if (error instanceof Refusal) return error.reply;
  onInternalError(error);
  return googleRefusal("INTERNAL", "The emulator failed; see its standard error output.").reply;
}

/** Until the time has passed, or the emulator closes. */
function wait(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.schedule(delayMs, resolve);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    cancel();
    signal.removeEventListener("abort", onAbort);
  });
}

function whole(reply: Reply): Outcome {
  return { kind: "reply", reply, truncated: false };
}
