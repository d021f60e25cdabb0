/** Google's own client, bare: `google-client.ts URL SERVICE_ACCOUNT_FILE rest|grpc`, told over its channel what to do. */
import { readFileSync } from "node:fs";
import { KeyManagementServiceClient } from "@google-cloud/kms";
import { KEY, keepInFlight, PLAINTEXT, serveLoad } from "../load/load.ts";

const [url = "", serviceAccountFile = "", transport = ""] = process.argv.slice(2);
const { hostname, port, protocol } = new URL(url);
const credentials = JSON.parse(readFileSync(serviceAccountFile, "utf8")) as {
  readonly client_email: string;
  readonly private_key: string;
};

const client = new KeyManagementServiceClient({
  apiEndpoint: hostname,
  port: Number(port),
  protocol: protocol.replace(":", ""),
  fallback: transport === "rest",
  credentials,
});
await client.initialize();

const options = { retry: null, timeout: 10_000 };
let turn = 0;

serveLoad((request) =>
  keepInFlight(request, async () => {
    turn += 1;
    const [answer] =
      turn % 2 === 0
        ? await client.encrypt({ name: KEY, plaintext: PLAINTEXT }, options)
        : await client.decrypt({ name: KEY, ciphertext: PLAINTEXT }, options);
    const bytes = "ciphertext" in answer ? answer.ciphertext : "plaintext" in answer ? answer.plaintext : undefined;
    if (!PLAINTEXT.equals(Buffer.from(bytes as Uint8Array))) throw new Error("the answer is not the right one");
  }),
);
