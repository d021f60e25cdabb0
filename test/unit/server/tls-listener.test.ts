import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { systemClock } from "../../../src/core/clock.ts";
import { startServer } from "../../../src/server/server.ts";
import { createCertificate } from "../../fakes/certificates.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createTlsFolder, SERVER_NAME, startTlsServer, type TlsServer } from "../../fakes/tls-set-up.ts";
import { serverLimits } from "./limits.ts";

const KEY = { gcpKmsKey: { resourceId: "projects/p" } };

function tlsTo(server: TlsServer, options: ConnectionOptions): TLSSocket {
  const socket = connectTls({
    port: server.port,
    host: "127.0.0.1",
    servername: SERVER_NAME,
    ca: server.ca.certificate,
    ALPNProtocols: ["h2"],
    ...options,
  });
  socket.on("error", () => {});
  return socket;
}

/** `once` would reject with the error that comes before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function reasons({ events }: TlsServer): readonly string[] {
  return events.map((event) => (event.kind === "connection_refused" ? event.reason : event.kind));
}

test("TLS 1.2 is refused, and the event says so with the client's address", { timeout: 10_000 }, async (t) => {
  const server = await startTlsServer(t);
  const socket = tlsTo(server, { maxVersion: "TLSv1.2" });
  await closed(socket);
  const [event] = server.events;
  assert.ok(event?.kind === "connection_refused");
  assert.equal(event.reason, "the client does not speak TLS 1.3");
  assert.match(event.peer, /^127\.0\.0\.1:\d+$/);
  assert.equal(event.listener, server.address);
});

for (const [what, ALPNProtocols] of [
  ["no protocol", []],
  ["HTTP/1.1 alone", ["http/1.1"]],
] as const) {
  test(`a client that asks for ${what} is refused`, { timeout: 10_000 }, async (t) => {
    const server = await startTlsServer(t);
    await closed(tlsTo(server, { ALPNProtocols: [...ALPNProtocols] }));
    assert.deepEqual(reasons(server), ["the client does not ask for HTTP/2 (h2 by ALPN)"]);
  });
}

test("clear text is refused as what it is", { timeout: 10_000 }, async (t) => {
  const server = await startTlsServer(t);
  for (const text of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]) {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text);
    await closed(socket);
  }
  assert.equal(server.events.length, 2);
  for (const reason of reasons(server)) assert.match(reason, /^the client speaks no TLS/);
});

test("a client that does not trust the server is on record with its address", { timeout: 10_000 }, async (t) => {
  const server = await startTlsServer(t);
  await closed(tlsTo(server, { ca: createCertificate({ name: "another CA", authority: true }).certificate }));
  while (server.events.length === 0) await setImmediate();
  const [event] = server.events;
  assert.ok(event?.kind === "connection_refused");
  assert.match(event.peer, /^127\.0\.0\.1:\d+$/);
  assert.match(event.reason, /went away before the handshake was over, as one does that does not trust this server/);
});

test("a handshake that is fed byte by byte ends when its time is over", { timeout: 10_000 }, async (t) => {
  const server = await startTlsServer(t, { limits: { handshakeMs: 200 } });
  const socket = connectTcp(server.port, "127.0.0.1");
  socket.on("error", () => {});
  // The head of a record of 512 bytes, and then as slowly as a client likes.
  socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
  const trickle = setInterval(() => socket.write(Buffer.of(1)), 20);
  await closed(socket).finally(() => clearInterval(trickle));
  assert.deepEqual(reasons(server), ["the handshake took longer than 0.2 s"]);
});

test("connections that have not shaken hands yet count, so that they cannot be without bound", {
  timeout: 10_000,
}, async (t) => {
  const server = await startTlsServer(t, { limits: { maxConnections: 2 } });
  const sockets = [1, 2, 3].map(() => connectTcp(server.port, "127.0.0.1"));
  await Promise.race(sockets.map(closed));
  assert.equal(sockets.filter(({ destroyed }) => destroyed).length, 1);
  for (const socket of sockets) socket.destroy();
});

test("a session is never taken up again: its certificate would not be verified again", {
  timeout: 10_000,
}, async (t) => {
  const server = await startTlsServer(t, { clientCertificate: "optional" });
  const first = tlsTo(server, {});
  const [session] = (await once(first, "session")) as [Buffer];
  first.destroy();
  const second = tlsTo(server, { session });
  await once(second, "secureConnect");
  assert.equal(second.isSessionReused(), false);
  second.destroy();
});

test("a certificate that expires while its connection is open proves nothing any more", {
  timeout: 10_000,
}, async (t) => {
  const clock = createFakeClock({ startMs: Date.now() });
  const server = await startTlsServer(t, { clock });
  const client = server.connect(
    createCertificate({ name: "client", issuer: server.ca, notAfter: new Date(Date.now() + 60_000) }),
  );
  await client.decrypt(KEY, Buffer.from("c"));
  // The clock alone jumps, so that the connection is not ended before the call.
  clock.jumpWall(60_000);
  await assert.rejects(client.decrypt(KEY, Buffer.from("c")), /has expired since it was opened/);
});

test("a connection ends in good order when its certificate expires: the client comes again", {
  timeout: 10_000,
}, async (t) => {
  const clock = createFakeClock({ startMs: Date.now() });
  const server = await startTlsServer(t, { clock });
  const expiring = createCertificate({ name: "c", issuer: server.ca, notAfter: new Date(Date.now() + 60_000) });
  const socket = tlsTo(server, { cert: expiring.certificate, key: expiring.privateKey });
  await once(socket, "data");
  socket.resume();
  clock.advance(60_000);
  await closed(socket);
});

test("a refused connection ends after it could be told why", { timeout: 10_000 }, async (t) => {
  const clock = createFakeClock({ startMs: Date.now() });
  const server = await startTlsServer(t, { clock });
  const client = server.connect();
  await assert.rejects(client.decrypt(KEY, Buffer.from("c")), /none was shown/);
  const socket = tlsTo(server, {});
  await once(socket, "data");
  socket.resume();
  clock.advance(10_000);
  await closed(socket);
});

test("a listener whose files cannot be used does not open", async (t) => {
  const folder = createTlsFolder(t);
  const other = createCertificate({ name: "other" });
  folder.write({ certificate: other.certificate, privateKey: folder.ca.privateKey });
  const refuse = () => Promise.reject(new Error("no call is made"));
  const service = { encrypt: refuse, decrypt: refuse, refused() {} };
  const tcp = { kind: "tcp", host: "127.0.0.1", port: 0, insecure: false, caller: undefined } as const;
  await assert.rejects(startServer([{ ...tcp, tls: folder.tls }], serverLimits(), service, systemClock), {
    name: "ListenError",
    message: `${folder.tls.privateKey}: is not the key of the first certificate in ${folder.tls.certificate}`,
  });
});
