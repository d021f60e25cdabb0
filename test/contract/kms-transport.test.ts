import { systemClock } from "../../src/core/clock.ts";
import { createEndpointPool } from "../../src/kms/endpoint-pool.ts";
import { openGrpcTransport } from "../../src/kms/grpc-transport.ts";
import { createLazyTransport } from "../../src/kms/lazy-transport.ts";
import { createRestTransport } from "../../src/kms/rest-transport.ts";
import { type OpenTransport, testKmsTransport } from "./kms-transport-contract.ts";

const openRest: OpenTransport = async ({ endpoint, ca, ...options }) => {
  const dispatcher = createEndpointPool(new URL(endpoint).origin, ca);
  return createRestTransport({ ...options, endpoint, dispatcher, clock: systemClock });
};

const openLazily: OpenTransport = async (setUp) =>
  createLazyTransport(new URL(setUp.endpoint).host, () => openGrpcTransport(setUp));

testKmsTransport("REST", openRest);
testKmsTransport("gRPC", openGrpcTransport);
testKmsTransport("gRPC, loaded while it is asked", openLazily);
