import { Client, credentials } from "@grpc/grpc-js";
import { toPrintableLine } from "../core/errors.ts";
import { HEALTH_CHECK_PATH } from "./health.ts";
import { decodeHealthAnswer } from "./health-messages.ts";
import { type HealthTrust, secureChannel } from "./health-trust.ts";

export type HealthReport = { readonly serving: true } | { readonly serving: false; readonly reason: string };

/** An empty `HealthCheckRequest` asks about the server as a whole. */
const WHOLE_SERVER = Buffer.alloc(0);

/**
 * Asks `grpc.health.v1.Health/Check` at `address` (`unix:///path`, `tcp://host:port` or gRPC's own forms).
 *
 * @param trust undefined: in clear text
 */
export async function checkHealth(address: string, timeoutMs: number, trust?: HealthTrust): Promise<HealthReport> {
  const target = address.replace(/^tcp:\/\//, "");
  const { secured, options } =
    trust === undefined ? { secured: credentials.createInsecure(), options: {} } : secureChannel(target, trust);
  // Otherwise an http_proxy in the environment would be asked for the way to loopback.
  const client = new Client(target, secured, { ...options, "grpc.enable_http_proxy": 0 });
  const { promise, resolve } = Promise.withResolvers<HealthReport>();
  client.makeUnaryRequest(
    HEALTH_CHECK_PATH,
    (message: Buffer) => message,
    decodeHealthAnswer,
    WHOLE_SERVER,
    { deadline: Date.now() + timeoutMs },
    (error, answer) => {
      if (error !== null) resolve({ serving: false, reason: describe(error) });
      else if (answer === "SERVING") resolve({ serving: true });
      else resolve({ serving: false, reason: `it says ${answer ?? "what grpc.health.v1 does not know"}` });
    },
  );
  return promise.finally(() => client.close());
}

/** grpc-js ends some of its messages with a heading that nothing follows. */
function describe(error: Error): string {
  return toPrintableLine(error.message).replace(/\s*Resolution note:\s*$/, "");
}
