import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import { readBody } from "./body.ts";
import { distort, htmlReply, statusReply } from "./distort.ts";
import type { Faults, TakenFaults } from "./faults.ts";
import { toTimestamp } from "./kms-json.ts";
import { googleRefusal, Refusal } from "./refusals.ts";
import type { RequestLog } from "./request-log.ts";
import { type Call, type EmulatorRequest, findRoute, type Reply, type Route, type RouteMatch } from "./routes.ts";

export interface DispatcherOptions {
  readonly clock: Clock;
  readonly routes: readonly Route[];
  readonly faults: Faults;
  readonly log: RequestLog;
  /** Answers paths under `/emulator/`; faults do not touch them and the log does not have them. */
  readonly answerAdmin: (request: EmulatorRequest) => Promise<Reply>;
  /** Fires when the emulator closes: whoever waits for a delayed answer is then let go. */
  readonly signal: AbortSignal;
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
    decide(message, options)
      .catch((error: unknown): Outcome => whole(replyToError(error, options)))
      .then((outcome) => carryOut(outcome, message, response))
      .catch(() => message.socket.destroy());
  };
}

async function decide(message: IncomingMessage, options: DispatcherOptions): Promise<Outcome> {
  const request = parseRequest(message, await readBody(message));
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
  const fault = taken.effect?.kind ?? (taken.delayMs > 0 ? "latency" : undefined);
  log.add({
    time: toTimestamp(clock.nowMs()),
    endpoint: route.endpoint,
    ...(resource !== undefined && { resource }),
    ...(call.principal !== undefined && { principal: call.principal }),
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

function carryOut(outcome: Outcome, message: IncomingMessage, response: ServerResponse): void {
  switch (outcome.kind) {
    case "hang":
      return;
    case "reset":
      message.socket.resetAndDestroy();
      return;
    case "reply":
      send(outcome.reply, outcome.truncated, response);
  }
}

function send({ status, headers, body }: Reply, truncated: boolean, response: ServerResponse): void {
  const isJson = typeof body !== "string";
  const bytes = Buffer.from(isJson ? `${JSON.stringify(body)}\n` : body, "utf8");
  response.writeHead(status, {
    "Content-Type": isJson ? "application/json; charset=UTF-8" : "text/plain; charset=UTF-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Length": bytes.length,
    // A body that was refused half-way is still on its way: the connection cannot be used again.
    ...((truncated || status === 413) && { Connection: "close" }),
    ...headers,
  });
  if (!truncated) response.end(bytes);
  else response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.destroy());
}

function parseRequest(message: IncomingMessage, body: Buffer): EmulatorRequest {
  const [path = "/", ...query] = (message.url ?? "/").split("?");
  return {
    method: message.method ?? "",
    path: decodePath(path),
    query: new URLSearchParams(query.join("?")),
    headers: message.headers,
    body,
  };
}

/** Dots are not resolved: `..` is then simply no valid id. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    const refusal = googleRefusal("INVALID_ARGUMENT", "The path is not percent-encoded UTF-8.");
    refusal.cause = error;
    throw refusal;
  }
}
