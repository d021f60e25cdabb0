import { testKmsTransport } from "./kms-transport-contract.ts";
import { TRANSPORTS } from "./kms-transports.ts";

for (const [kind, open] of Object.entries(TRANSPORTS)) testKmsTransport(kind, open);
