import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { decodeHealthRequest, encodeHealthAnswer, encodeHealthList, type ServingStatus } from "./health-messages.ts";
import { encodedMethod, SERVICE_NAME } from "./protocol.ts";

const SERVICE = "/grpc.health.v1.Health";
export const HEALTH_CHECK_PATH: string = `${SERVICE}/Check`;

const METHODS = {
  Check: encodedMethod(HEALTH_CHECK_PATH, "unary"),
  Watch: encodedMethod(`${SERVICE}/Watch`, "server_stream"),
  List: encodedMethod(`${SERVICE}/List`, "unary"),
} as const;

const UNKNOWN_SERVICE = { code: status.NOT_FOUND, details: `no such service; ask for "" or ${SERVICE_NAME}` };
const MALFORMED = { code: status.INVALID_ARGUMENT, details: "this is no health request" };

type Watcher = ServerWritableStream<Buffer, Buffer>;

/** Whether the server serves, for probes and for clients that balance their load. */
export interface Health {
  /** Adds `grpc.health.v1.Health`. */
  addTo(server: Server): void;
  /** From now on nothing is served. Whoever watches is told so, and its call ends. */
  end(): void;
}

/**
 * `grpc.health.v1`, for the server as a whole and for SOPS' service, which are well or ill together.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function createHealth(): Health {
  let current: ServingStatus = "SERVING";
  /** With what they ask about; as many as there are streams, which the server bounds. */
  const watchers = new Map<Watcher, string>();
  const statusOf = (service: string): ServingStatus =>
    service === "" || service === SERVICE_NAME ? current : "SERVICE_UNKNOWN";

  function answerCheck(message: Buffer, callback: sendUnaryData<Buffer>): void {
    const asked = readService(message);
    const found = asked === undefined ? undefined : statusOf(asked);
    if (found === undefined) callback(MALFORMED);
    else if (found === "SERVICE_UNKNOWN") callback(UNKNOWN_SERVICE);
    else callback(null, encodeHealthAnswer(found));
  }

  function watch(call: Watcher): void {
    const asked = readService(call.request);
    if (asked === undefined) {
      call.emit("error", MALFORMED);
      return;
    }
    call.write(encodeHealthAnswer(statusOf(asked)));
    if (current === "NOT_SERVING") {
      call.end();
      return;
    }
    watchers.set(call, asked);
    call.once("cancelled", () => watchers.delete(call));
  }

  return {
    addTo(server) {
      server.addService(METHODS, {
        Check: ({ request }: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
          answerCheck(request, callback),
        Watch: watch,
        List: (_call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
          callback(null, encodeHealthList(new Map(["", SERVICE_NAME].map((name) => [name, current])))),
      });
    },
    end() {
      current = "NOT_SERVING";
      for (const [call, asked] of watchers) {
        call.write(encodeHealthAnswer(statusOf(asked)));
        call.end();
      }
      watchers.clear();
    },
  };
}

function readService(message: Buffer): string | undefined {
  try {
    return decodeHealthRequest(message);
  } catch {
    return undefined;
  }
}
