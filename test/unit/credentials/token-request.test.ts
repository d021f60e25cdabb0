import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createTokenRequests, MAX_RESPONSE_BYTES, type TokenRequest } from "../../../src/credentials/token-request.ts";
import { createCredentialFolder } from "../../fakes/token-credentials.ts";
import { startTokenEndpoint } from "../../fakes/token-endpoint.ts";

const never = new AbortController().signal;
const get = (url: string): TokenRequest => ({ method: "GET", url: new URL(url), headers: { "x-test": "1" } });

const failsWith = (code: string, says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof KeyServiceError);
  assert.equal(error.code, code);
  assert.match(error.message, says);
  return true;
};

test("an exchange gives status, headers and text, and sends what it was given", async () => {
  await using endpoint = await startTokenEndpoint();
  endpoint.trouble = { status: 418, body: { tea: "pot" }, headers: { "X-Kind": "teapot" } };
  const url = new URL(`${endpoint.url}/path?query=1`);
  const response = await createTokenRequests(undefined)(
    { method: "POST", url, headers: { a: "b" }, body: "text" },
    never,
  );
  assert.equal(response.status, 418);
  assert.equal(response.headers.get("x-kind"), "teapot");
  assert.equal(response.text, '{"tea":"pot"}');
  const [seen] = endpoint.requests;
  assert.deepEqual([seen?.method, seen?.path, seen?.body, seen?.headers["a"]], ["POST", "/path?query=1", "text", "b"]);
});

test("a redirect is an answer like any other, not followed", async () => {
  await using endpoint = await startTokenEndpoint();
  endpoint.trouble = { status: 307, body: "", headers: { location: `${endpoint.url}/elsewhere` } };
  assert.equal((await createTokenRequests(undefined)(get(endpoint.url), never)).status, 307);
  assert.equal(endpoint.requests.length, 1);
});

test("64 KiB are read, one byte more is not", async () => {
  await using endpoint = await startTokenEndpoint();
  const send = createTokenRequests(undefined);
  endpoint.trouble = { status: 200, body: "x".repeat(MAX_RESPONSE_BYTES) };
  assert.equal((await send(get(endpoint.url), never)).text.length, MAX_RESPONSE_BYTES);
  endpoint.trouble = { status: 200, body: "x".repeat(MAX_RESPONSE_BYTES + 1) };
  await assert.rejects(send(get(endpoint.url), never), failsWith("credential_unavailable", /more than 65536 bytes/));
});

test("who gives up gets the signal's own reason, before and while the request runs", async () => {
  await using endpoint = await startTokenEndpoint();
  const send = createTokenRequests(undefined);
  const reason = new KeyServiceError("deadline_exceeded", { problem: "too slow" });
  await assert.rejects(send(get(endpoint.url), AbortSignal.abort(reason)), (error) => error === reason);
  assert.equal(endpoint.requests.length, 0);
  endpoint.trouble = "hang";
  const controller = new AbortController();
  const arrival = endpoint.nextRequest();
  const running = send(get(endpoint.url), controller.signal);
  await arrival;
  controller.abort(reason);
  await assert.rejects(running, (error) => error === reason);
});

test("where nobody listens, the error says whom and why", async () => {
  const endpoint = await startTokenEndpoint();
  await endpoint[Symbol.asyncDispose]();
  await assert.rejects(
    createTokenRequests(undefined)(get(endpoint.url), never),
    failsWith("credential_unavailable", /^token endpoint 127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/),
  );
});

const hasOpenssl = (() => {
  try {
    return execFileSync("openssl", ["version"]).length > 0;
  } catch {
    return false;
  }
})();

test("a private CA is trusted where it is configured, and only there", {
  skip: !hasOpenssl && "needs openssl",
}, async () => {
  await using folder = await createCredentialFolder();
  const [key, certificate] = [join(folder.path, "tls.key"), join(folder.path, "tls.crt")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", ["req", "-x509", ...newKey, "-keyout", key, "-out", certificate, "-days", "2", ...names], {
    stdio: "ignore",
  });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (_, response) => {
    response.end("over TLS");
  });
  await using listening = server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    listening.once("listening", resolve);
  });
  const address = listening.address();
  assert.ok(address !== null && typeof address !== "string");
  const request = get(`https://localhost:${address.port}/`);
  assert.equal((await createTokenRequests(certificate)(request, never)).text, "over TLS");
  await assert.rejects(
    createTokenRequests(undefined)(request, never),
    failsWith("credential_unavailable", /cannot be reached \([A-Z_]*SELF_SIGNED[A-Z_]*\)/),
  );
  server.closeAllConnections();
});

test("a server that says nothing is given up after its time, and named", async () => {
  await using endpoint = await startTokenEndpoint();
  endpoint.trouble = "hang";
  const request: TokenRequest = { ...get(`${endpoint.url}/token`), silenceMs: 50 };
  const says = /^token endpoint 127\.0\.0\.1:\d+ does not answer \(UND_ERR_HEADERS_TIMEOUT\)/;
  await assert.rejects(createTokenRequests(undefined)(request, never), failsWith("credential_unavailable", says));
});
