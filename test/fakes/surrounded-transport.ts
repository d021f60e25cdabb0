/** A program: one call by gRPC to a fake endpoint, in whatever environment it is started. Says `answered` if it was. */
import { openGrpcTransport } from "../../src/kms/grpc-transport.ts";
import { attemptWith, requestOf } from "../contract/kms-transport-contract.ts";
import { encryptReply, startKmsEndpoint } from "./kms-endpoint.ts";

const endpoint = await startKmsEndpoint((request) => encryptReply(request, Buffer.from("ciphertext")));
const transport = await openGrpcTransport({
  endpoint: endpoint.url,
  ca: undefined,
  quotaProject: undefined,
  userAgent: "sops-keyd/test",
});
const outcome = await transport.send(requestOf("encrypt"), attemptWith());
process.stdout.write(outcome.ok ? "answered\n" : `${outcome.error.message}\n`);
await transport.close();
endpoint.close();
