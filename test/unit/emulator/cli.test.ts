import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connect } from "node:tls";
import { startEmulator } from "../../../src/emulator/emulator.ts";
import { createCertificate } from "../../fakes/certificates.ts";

function run(...argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["src/main.ts", "emulator", ...argv], {
    cwd: new URL("../../..", import.meta.url),
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
}

async function ended(child: ChildProcess): Promise<{ code: number; errorText: string }> {
  const [errorText, [code]] = await Promise.all([read(child.stderr), once(child, "exit")]);
  return { code: Number(code), errorText };
}

async function firstChunk(child: ChildProcess): Promise<string> {
  const [chunk] = child.stdout === null ? [""] : await once(child.stdout, "data");
  return String(chunk);
}

const read = (stream: NodeJS.ReadableStream | null): Promise<string> =>
  stream === null ? Promise.resolve("") : text(stream);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`--json says in one line where everything is, and ${signal} ends it with 0`, async () => {
    const child = run("--listen", ":0", "--json");
    const end = ended(child);
    const line = await firstChunk(child);
    assert.match(line, /^\{.*\}\n$/);
    const ready = JSON.parse(line) as { url: string; endpoints: object; files: { serviceAccount: string } };
    assert.deepEqual(Object.keys(ready.endpoints), ["kms", "oauth2", "sts", "iamCredentials", "metadata"]);
    assert.equal((await fetch(`${ready.url}/emulator/requests`)).status, 200);
    child.kill(signal);
    const { code, errorText } = await end;
    assert.equal(code, 0);
    assert.match(errorText, /NOT FOR REAL SECRETS/);
  });
}

test("for a person it warns, and gives lines to copy", async () => {
  const child = run("--listen", "localhost:0");
  const end = ended(child);
  const shown = await firstChunk(child);
  child.kill("SIGTERM");
  assert.equal((await end).code, 0);
  assert.match(shown, /NOT FOR REAL SECRETS/);
  assert.match(shown, /^export SOPS_GCP_KMS_ENDPOINT=http:\/\/localhost:\d+$/m);
  assert.match(shown, /^export SOPS_GCP_KMS_CLIENT_TYPE=rest$/m);
  assert.match(shown, /^ {4}iamCredentials: http:\/\/localhost:\d+$/m);
  assert.equal(shown.includes("\u001b"), false);
});

const BAD_OPTIONS = [
  ["--listen", "0.0.0.0:8181"],
  ["--listen", "8181"],
  ["--listen", "127.0.0.1:70000"],
  ["--token-lifetime", "10"],
  ["--token-lifetime", "500ms"],
];
for (const argv of BAD_OPTIONS) {
  test(`${argv.join(" ")} is a usage error`, async () => {
    const { code, errorText } = await ended(run(...argv));
    assert.equal(code, 2);
    assert.match(errorText, /is invalid/);
  });
}

test("with a certificate it says where it takes TLS, and how sops asks it by gRPC", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "emulator-tls-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const { certificate, privateKey } = createCertificate({ name: "emulator", address: "127.0.0.1" });
  const [certificateFile, keyFile] = [join(directory, "crt.pem"), join(directory, "key.pem")];
  writeFileSync(certificateFile, certificate);
  writeFileSync(keyFile, privateKey, { mode: 0o600 });
  const options = ["--listen", ":0", "--tls-certificate", certificateFile, "--tls-key", keyFile];

  const [forPrograms, forPeople] = [run(...options, "--json"), run(...options)];
  const ready = JSON.parse(await firstChunk(forPrograms)) as { url: string; tlsUrl: string; port: number };
  assert.deepEqual([ready.tlsUrl, ready.url], [`https://127.0.0.1:${ready.port}`, `http://127.0.0.1:${ready.port}`]);
  const socket = connect({ port: ready.port, host: "127.0.0.1", ca: certificate, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  assert.equal(socket.alpnProtocol, "h2");
  socket.destroy();
  assert.match(
    await firstChunk(forPeople),
    /^# by gRPC: SOPS_GCP_KMS_ENDPOINT=127\.0\.0\.1:\d+ SOPS_GCP_KMS_CLIENT_TYPE=grpc /m,
  );
  for (const child of [forPrograms, forPeople]) {
    const end = ended(child);
    child.kill("SIGTERM");
    assert.equal((await end).code, 0);
  }
});

test("a certificate without its key is a usage error, and one that is not there a clear error", async () => {
  const half = await ended(run("--tls-certificate", "crt.pem"));
  assert.deepEqual([half.code, /go together/.test(half.errorText)], [2, true]);
  const absent = await ended(run("--tls-certificate", "absent.pem", "--tls-key", "absent.pem"));
  assert.equal(absent.code, 1);
  assert.match(absent.errorText, /^sops-keyd: emulator: absent\.pem cannot be read/);
});

test("a port in use is a clear error and exit code 1", async (t) => {
  const emulator = await startEmulator();
  t.after(() => emulator.close());
  const { code, errorText } = await ended(run("--listen", `:${emulator.port}`));
  assert.equal(code, 1);
  assert.match(errorText, /^sops-keyd: emulator: cannot listen on .* the port is in use/);
});
