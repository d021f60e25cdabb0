import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { createSyslogSink } from "../../../src/audit/syslog-sink.ts";
import type { SyslogAddress } from "../../../src/config/audit.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createCertificate } from "../../fakes/certificates.ts";

const LINE = '{"seq":1,"prev":"00","event":"stopped","time":"2026-01-01T00:00:00.000Z","hash":"11"}';
const FRAME = /^(\d+) (<86>1 2026-01-01T00:00:00\.000Z \S+ sops-keyd \d+ audit - \{.*?"hash":"11"\})/;

/** Gathers what comes by a server's connections. */
function gather(t: TestContext, server: Server, event: "connection" | "secureConnection") {
  const sockets = new Set<Socket>();
  let text = "";
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.on(event, (socket: Socket) =>
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      server.emit("received");
    }),
  );
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return async () => {
    while (!FRAME.test(text)) await once(server, "received");
    return FRAME.exec(text) ?? [];
  };
}

function createDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "keyd-syslog-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function sinkTo(address: SyslogAddress, caFile: string | undefined, warn: (message: string) => void = () => {}) {
  return createSyslogSink({ address, facility: "authpriv", caFile }, systemClock, warn);
}

async function listenWithTls(t: TestContext) {
  const directory = createDirectory(t);
  const ca = createCertificate({ name: "CA", authority: true });
  const { certificate, privateKey } = createCertificate({ name: "syslog", issuer: ca, address: "127.0.0.1" });
  const server = createTlsServer({ cert: certificate, key: privateKey });
  const received = gather(t, server, "secureConnection");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const writeCa = (pem: string) => {
    const path = join(directory, "ca.pem");
    writeFileSync(path, pem);
    return path;
  };
  return { address: { kind: "tls", host: "127.0.0.1", port } as const, ca, received, writeCa };
}

test("syslog goes over a unix socket with the length before each message", async (t) => {
  const path = join(createDirectory(t), "log.sock");
  const server = createTcpServer();
  const received = gather(t, server, "connection");
  server.listen(path);
  await once(server, "listening");
  const sink = sinkTo({ kind: "unix", path }, undefined);
  assert.equal(sink.name, `syslog unix://${path}`);
  sink.publish([LINE]);
  const [, length, message] = await received();
  assert.equal(Number(length), message?.length);
  await sink.close();
});

test("syslog goes over TLS to a server that the CA file vouches for", async (t) => {
  const { address, ca, received, writeCa } = await listenWithTls(t);
  const sink = sinkTo(address, writeCa(ca.certificate));
  sink.publish([LINE]);
  const [, length, message] = await received();
  assert.equal(Number(length), message?.length);
  await sink.close();
});

test("a syslog server that the CA file does not vouch for gets nothing, and the operator is told", {
  timeout: 20_000,
}, async (t) => {
  const { address, received, writeCa } = await listenWithTls(t);
  const told = Promise.withResolvers<string>();
  const sink = sinkTo(
    address,
    writeCa(createCertificate({ name: "other", authority: true }).certificate),
    told.resolve,
  );
  sink.publish([LINE]);
  assert.match(await told.promise, /do not reach syslog tls:\/\/127\.0\.0\.1:\d+: .*(VERIFY|SELF_SIGNED|ISSUER)/);
  const outcome = await Promise.race([received().then(() => "received"), sink.close().then(() => "nothing")]);
  assert.equal(outcome, "nothing");
});

test("a CA file that is not there stops the start, and is named", () => {
  const open = () => sinkTo({ kind: "tls", host: "127.0.0.1", port: 1 }, "/nonexistent/ca.pem");
  assert.throws(open, /audit\.syslog\.caFile \/nonexistent\/ca\.pem cannot be read/);
});
