import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { createOtlpSink } from "../../../src/audit/otlp-sink.ts";
import { CLOSE_TIMEOUT_MS } from "../../../src/audit/sink.ts";
import { createStdoutSink } from "../../../src/audit/stdout-sink.ts";
import { createSyslogDatagrams } from "../../../src/audit/syslog-datagrams.ts";
import { createSyslogSink } from "../../../src/audit/syslog-sink.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createFakeClock } from "../../fakes/clock.ts";

const OK =
  '{"seq":2,"prev":"00","event":"outcome","time":"2026-01-01T00:00:00.000Z","outcome":"ok","rule":"r","hash":"11"}';
const REFUSED =
  '{"seq":3,"prev":"11","event":"decision","time":"2026-01-01T00:00:01.000Z","decision":"refused","hash":"22"}';

interface Received {
  readonly port: number;
  /** Resolves once so many bytes have come. */
  bytes(atLeast: number): Promise<string>;
  readonly server: Server;
  readonly sockets: Set<Socket>;
}

async function receive(t: TestContext, port = 0): Promise<Received> {
  const sockets = new Set<Socket>();
  let text = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      server.emit("received");
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    async bytes(atLeast) {
      while (text.length < atLeast) await once(server, "received");
      return text;
    },
    server,
    sockets,
  };
}

function syslogTo(kind: "tcp" | "udp", port: number, warnings: string[] = []) {
  const address = { kind, host: "127.0.0.1", port } as const;
  return createSyslogSink({ address, facility: "authpriv", caFile: undefined }, systemClock, (message) =>
    warnings.push(message),
  );
}

describe("the syslog sink", () => {
  test("sends RFC 5424 messages with their length before each, refusals as warnings", async (t) => {
    const received = await receive(t);
    const sink = syslogTo("tcp", received.port);
    sink.publish([OK, REFUSED]);
    const text = await received.bytes(OK.length + REFUSED.length + 60);
    const first =
      /^(\d+) (<86>1 2026-01-01T00:00:00\.000Z \S+ sops-keyd \d+ audit - \{.*?"hash":"11"\})(\d+ <84>1 )/.exec(text);
    assert.ok(first, text);
    assert.equal(Number(first[1]), first[2]?.length);
    await sink.close();
  });

  test("sends a datagram for each record", async (t) => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    const sink = syslogTo("udp", socket.address().port);
    sink.publish([OK]);
    const [message] = (await once(socket, "message")) as [Buffer];
    assert.match(message.toString(), /^<86>1 .* audit - \{"seq":2/);
    await sink.close();
  });

  test("does not wait for a name server that says nothing to its end", async () => {
    const clock = createFakeClock();
    const asked = Promise.withResolvers<string>();
    const sink = createSyslogDatagrams({
      name: "syslog",
      host: "logs.example.com",
      port: 514,
      toMessage: Buffer.from,
      trouble: { tell() {}, over() {} },
      clock,
      // Its own address, which the socket is bound to, is asked for as well.
      lookup: (name, _options, callback) => (isIP(name) === 0 ? asked.resolve(name) : callback(null, name, 4)),
    });
    sink.publish([OK]);
    assert.equal(await asked.promise, "logs.example.com");
    const closed = sink.close();
    clock.advance(CLOSE_TIMEOUT_MS);
    await closed;
  });

  test("says that a server cannot be reached, and drops what it cannot keep", async () => {
    const warnings: string[] = [];
    const sink = syslogTo("tcp", 1, warnings);
    for (let batch = 0; batch < 12; batch += 1) sink.publish(Array.from({ length: 1000 }, () => OK));
    assert.match(warnings[0] ?? "", /do not reach syslog tcp:\/\/127\.0\.0\.1:1: .*; 1000 are lost to it so far/);
    await sink.close();
  });
});

describe("the stdout sink", () => {
  test("drops lines where their reader has stopped, and waits for nobody", () => {
    const warnings: string[] = [];
    const stream = new PassThrough({ highWaterMark: 1024 });
    const sink = createStdoutSink(stream, systemClock, (message) => warnings.push(message));
    const lines = Array.from({ length: 1000 }, () => "x".repeat(1000));
    for (let batch = 0; batch < 10; batch += 1) sink.publish(lines);
    assert.ok(stream.writableLength < 8 * 1024 * 1024);
    assert.match(warnings[0] ?? "", /do not reach standard output: its reader takes no more/);
  });
});

describe("the OpenTelemetry sink", () => {
  test("posts records as OTLP logs, and says so where the collector refuses them", async (t) => {
    const bodies: string[] = [];
    let status = 200;
    const server = createHttpServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      request.once("end", () => {
        bodies.push(body);
        response.writeHead(status, { "content-type": "application/json" }).end("{}");
        server.emit("received");
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const warnings: string[] = [];
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`;
    const sink = createOtlpSink({
      endpoint,
      version: "1",
      clock: systemClock,
      warn: (message) => warnings.push(message),
    });
    sink.publish([OK, REFUSED]);
    await once(server, "received");
    const { resourceLogs } = JSON.parse(bodies[0] ?? "");
    const [record, refusal] = resourceLogs[0].scopeLogs[0].logRecords;
    assert.deepEqual(record.body, { stringValue: OK });
    assert.deepEqual([record.severityText, refusal.severityText], ["INFO", "WARN"]);
    assert.ok(JSON.stringify(record.attributes).includes("sops_keyd.rule"));
    status = 400;
    sink.publish([OK]);
    await sink.close();
    assert.match(warnings[0] ?? "", /do not reach OTLP .*the collector does not take them; 1 are lost/);
  });
});
