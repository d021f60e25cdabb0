import { systemClock } from "../../src/core/clock.ts";
import { createEndpointPool } from "../../src/kms/endpoint-pool.ts";
import { openGrpcTransport } from "../../src/kms/grpc-transport.ts";
import { createLazyTransport } from "../../src/kms/lazy-transport.ts";
import { createRestTransport } from "../../src/kms/rest-transport.ts";
import type { OpenTransport } from "./kms-transport-contract.ts";

/** Every way to Cloud KMS, by its name in tests. */
export const TRANSPORTS: Readonly<Record<string, OpenTransport>> = {
  REST: async ({ endpoint, ca, ...options }) => {
    const dispatcher = createEndpointPool(new URL(endpoint).origin, { ca });
    return createRestTransport({ ...options, endpoint, dispatcher, clock: systemClock });
  },
  gRPC: openGrpcTransport,
  "gRPC, loaded while it is asked": async (setUp) =>
    createLazyTransport({ host: new URL(setUp.endpoint).host }, () => openGrpcTransport(setUp)),
};
