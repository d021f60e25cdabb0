import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { hostname } from "node:os";
import { connect as connectTls } from "node:tls";
import type { SyslogAddress, SyslogConfig } from "../config/audit.ts";
import { describeReadError } from "../config/load.ts";
import type { Clock } from "../core/clock.ts";
import { atMost } from "../core/deadline.ts";
import { withBrackets } from "../core/host.ts";
import { joinedLookup } from "../network/joined-lookup.ts";
import { codeOf } from "./file-system.ts";
import { AuditOpenError } from "./open-error.ts";
import { CLOSE_TIMEOUT_MS, type Sink } from "./sink.ts";
import { createSyslogDatagrams } from "./syslog-datagrams.ts";
import { toFrame, toSyslogMessage } from "./syslog-message.ts";
import { createTrouble, type Trouble } from "./trouble.ts";

type StreamAddress = Exclude<SyslogAddress, { readonly kind: "udp" }>;

const MAX_QUEUED = 10_000;
/** What is given to a socket before it has sent what it had. */
const MAX_UNSENT_BYTES = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * Sends records to a syslog server. Syslog has no acknowledgement: what was given to a connection that then breaks is
 * lost without a trace, which is why the file is the record that counts.
 *
 * @throws AuditOpenError where the CA file cannot be read
 */
export function createSyslogSink(config: SyslogConfig, clock: Clock, warn: (message: string) => void): Sink {
  const { address, facility, caFile } = config;
  const name = `syslog ${render(address)}`;
  const sender = { facility, hostname: hostname(), pid: process.pid };
  const trouble = createTrouble(name, clock, warn);
  const toMessage = (line: string) => toSyslogMessage(line, sender);
  if (address.kind === "udp") return createSyslogDatagrams({ name, ...address, toMessage, trouble, clock });
  return createStream(name, address, readCa(caFile), (line) => toFrame(toMessage(line)), clock, trouble);
}

function readCa(caFile: string | undefined): string | undefined {
  if (caFile === undefined) return undefined;
  try {
    return readFileSync(caFile, "utf8");
  } catch (thrown) {
    throw new AuditOpenError(`audit.syslog.caFile ${caFile} cannot be read: ${describeReadError(thrown)}`, {
      cause: thrown,
    });
  }
}

function createStream(
  name: string,
  address: StreamAddress,
  ca: string | undefined,
  toBytes: (line: string) => Buffer,
  clock: Clock,
  trouble: Trouble,
): Sink {
  let queue: Buffer[] = [];
  let socket: Socket | undefined;
  let ready = false;
  let closed = false;
  let retryMs = FIRST_RETRY_MS;
  let cancelRetry: (() => void) | undefined;
  const emptied = new Set<() => void>();

  function open(): void {
    if (socket !== undefined || cancelRetry !== undefined || closed) return;
    const opened = connect(address, ca);
    socket = opened;
    opened.unref();
    opened.setTimeout(CONNECT_TIMEOUT_MS, () => {
      if (!ready) opened.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" }));
    });
    opened.once(address.kind === "tls" ? "secureConnect" : "connect", () => {
      ready = true;
      retryMs = FIRST_RETRY_MS;
      trouble.over();
      flush();
    });
    opened.on("drain", flush);
    // A server has nothing to say; what is not read would keep the end of the connection from being seen.
    opened.resume();
    opened.on("error", (error) => trouble.tell(codeOf(error), 0));
    opened.once("close", retryLater);
  }

  function retryLater(): void {
    socket = undefined;
    ready = false;
    if (closed) return;
    cancelRetry = clock.schedule(retryMs, () => {
      cancelRetry = undefined;
      if (queue.length > 0) open();
    });
    retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
  }

  function flush(): void {
    while (ready && queue.length > 0 && socket !== undefined && socket.writableLength < MAX_UNSENT_BYTES) {
      socket.write(queue.shift() ?? "");
    }
    if (queue.length === 0) for (const resolve of emptied) resolve();
  }

  return {
    name,
    publish(lines) {
      queue.push(...lines.map(toBytes));
      const surplus = queue.length - MAX_QUEUED;
      if (surplus > 0) {
        queue = queue.slice(surplus);
        trouble.tell("the server takes no more, or cannot be reached", surplus);
      }
      open();
      flush();
    },
    async close() {
      await atMost(
        clock,
        CLOSE_TIMEOUT_MS,
        new Promise<void>((resolve) => (queue.length === 0 ? resolve() : emptied.add(resolve))),
      );
      closed = true;
      cancelRetry?.();
      if (socket === undefined) return;
      const ending = socket;
      await atMost(clock, CLOSE_TIMEOUT_MS, new Promise<void>((resolve) => ending.end(() => resolve())));
      ending.destroy();
    },
  };
}

function connect(address: StreamAddress, ca: string | undefined): Socket {
  if (address.kind === "unix") return connectTcp(address.path);
  const { kind, host, port } = address;
  if (kind === "tcp") return connectTcp({ host, port, lookup: joinedLookup });
  return connectTls({ host, port, lookup: joinedLookup, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) });
}

function render(address: SyslogAddress): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  return `${address.kind}://${withBrackets(address.host)}:${address.port}`;
}
