import { type Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { toPrintableLine } from "../core/errors.ts";

export type Health = { readonly serving: true } | { readonly serving: false; readonly reason: string };

interface HealthClient extends Client {
  check(
    request: { readonly service: string },
    options: { readonly deadline: number },
    callback: (error: Error | null, answer?: { readonly status: string }) => void,
  ): void;
}

/** Asks `grpc.health.v1.Health/Check` at `address` (`unix:///path`, `tcp://host:port` or gRPC's own forms). */
export async function checkHealth(address: string, timeoutMs: number): Promise<Health> {
  const definition = loadPackageDefinition(loadSync(protoPath, { enums: String }));
  const { Health: HealthService } = (definition as { grpc: { health: { v1: Record<string, unknown> } } }).grpc.health
    .v1;
  const target = address.replace(/^tcp:\/\//, "");
  const client = new (HealthService as ServiceClientConstructor)(
    target,
    credentials.createInsecure(),
    // Otherwise an http_proxy in the environment would be asked for the way to loopback.
    { "grpc.enable_http_proxy": 0 },
  ) as Client as HealthClient;
  const { promise, resolve } = Promise.withResolvers<Health>();
  client.check({ service: "" }, { deadline: Date.now() + timeoutMs }, (error, answer) => {
    if (error !== null) resolve({ serving: false, reason: describe(error) });
    else if (answer?.status === "SERVING") resolve({ serving: true });
    else resolve({ serving: false, reason: `it says ${answer?.status}` });
  });
  return promise.finally(() => client.close());
}

/** grpc-js ends some of its messages with a heading that nothing follows. */
function describe(error: Error): string {
  return toPrintableLine(error.message).replace(/\s*Resolution note:\s*$/, "");
}
