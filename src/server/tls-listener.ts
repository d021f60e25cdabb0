import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import { renderAddress } from "../config/address.ts";
import type { TcpListenerConfig } from "../config/config.ts";
import type { TlsConfig } from "../config/tls.ts";
import type { Admission, Admit } from "./connections.ts";
import { ListenError } from "./listen-error.ts";
import type { Listener, Receiver } from "./listener.ts";
import { PemError } from "./pem.ts";
import { closeServer, listenOnTcp } from "./tcp-socket.ts";
import { createTlsAdmit } from "./tls-admission.ts";
import { describeHandshakeError } from "./tls-handshake-error.ts";
import { readTlsFiles, type TlsFiles, type TlsMaterial, validateTls } from "./tls-material.ts";
import { createTlsReload } from "./tls-reload.ts";

/** Long enough for a client to be told why nothing is done for it. */
const REFUSED_CONNECTION_MS = 10_000;
const ALPN = "h2";

/**
 * A listener that speaks TLS 1.3 to its clients, by a server of ours: what it accepts is handed to gRPC decrypted, with
 * whom the client's certificate names.
 *
 * @throws ListenError where a file cannot be used or the address is taken
 */
export async function openTlsListener(
  config: TcpListenerConfig,
  tls: TlsConfig,
  receiver: Receiver,
): Promise<Listener> {
  const { clock, limits, report } = receiver;
  const first = await loadFirst(tls, clock.nowMs());
  const sockets = createServer(serverOptions(first, tls, limits.handshakeMs));
  sockets.maxConnections = limits.maxConnections;
  // Those that are still shaking hands as well.
  const open = new Set<Socket>();
  sockets.on("connection", (socket: Socket) => {
    open.add(socket);
    // Node keeps an address from when it is first asked for. One that was closed since has no other.
    void socket.remoteAddress;
    socket.once("close", () => open.delete(socket));
  });
  const sessions = createSessions(receiver);
  // The system may choose the port: until it has, nobody can connect.
  let address = renderAddress(config);
  let admit: Admit<TLSSocket> = createTlsAdmit(config, address);
  const refuse = (socket: TLSSocket, reason: string) => {
    report({ kind: "connection_refused", listener: address, peer: peerOf(socket), reason });
    socket.on("error", () => {});
    socket.destroy();
  };
  sockets.on("tlsClientError", (error, socket) => refuse(socket, describeHandshakeError(error, limits.handshakeMs)));
  sockets.on("secureConnection", (socket) => {
    if (socket.alpnProtocol === ALPN) sessions.begin(socket, receiver.connections.add(socket, admit));
    else refuse(socket, "the client does not ask for HTTP/2 (h2 by ALPN)");
  });
  address = await listenOnTcp(sockets, config);
  admit = createTlsAdmit(config, address);
  const reload = createTlsReload({
    config: tls,
    listener: address,
    clock,
    report,
    first,
    take(next, previous) {
      useFiles(sockets, next);
      // They were verified by other CAs than those that count now.
      if (next.clientCa !== previous.clientCa) sessions.endAll();
    },
  });
  return {
    address,
    renewCertificates: reload.check,
    stop() {
      reload.stop();
      return closeServer(sockets);
    },
    cut() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** A socket that broke off its handshake has lost its address; the one below it, which is not public, has not. */
function peerOf(socket: TLSSocket & { readonly _parent?: Socket | null }): string {
  const { remoteAddress, remotePort } = socket.remoteAddress === undefined ? (socket._parent ?? socket) : socket;
  return remoteAddress === undefined ? "an unknown address" : `${remoteAddress}:${remotePort}`;
}

async function loadFirst(tls: TlsConfig, nowMs: number): Promise<TlsMaterial> {
  try {
    return validateTls(await readTlsFiles(tls), tls, nowMs);
  } catch (thrown) {
    if (thrown instanceof PemError) throw new ListenError(thrown.message, { cause: thrown });
    throw thrown;
  }
}

function serverOptions(files: TlsFiles, tls: TlsConfig, handshakeMs: number): TlsOptions {
  return {
    ...contextOptions(files),
    ALPNProtocols: [ALPN],
    requestCert: tls.clientCertificate !== "none",
    // Whether it is good is asked afterwards, so that a client can be told what is wrong with it.
    rejectUnauthorized: false,
    handshakeTimeout: handshakeMs,
    noDelay: true,
  };
}

function contextOptions({ certificate, privateKey, clientCa }: TlsFiles): SecureContextOptions {
  return {
    cert: certificate,
    key: privateKey,
    ca: clientCa,
    minVersion: "TLSv1.3",
    // A session that is taken up again is not verified again: neither time nor a changed CA would end it.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function useFiles(sockets: Server, files: TlsFiles): void {
  sockets.setSecureContext(contextOptions(files));
}

interface Sessions {
  begin(socket: TLSSocket, admission: Admission): void;
  /** Asks all clients to come again; the calls in flight are answered. */
  endAll(): void;
}

/** One injector for each connection, at 10 µs: grpc-js has no other way to ask a single client to go. */
function createSessions({ grpc, limits, clock }: Receiver): Sessions {
  const credentials = ServerCredentials.createInsecure();
  const open = new Set<() => void>();
  return {
    begin(socket, { origin, validUntilMs }) {
      const injector = grpc.createConnectionInjector(credentials);
      const end = () => injector.drain(limits.drainMs);
      const untilMs = origin.refusal === undefined ? validUntilMs : clock.nowMs() + REFUSED_CONNECTION_MS;
      const cancelTimer = untilMs === undefined ? undefined : scheduleEnd(untilMs, end);
      open.add(end);
      socket.once("close", () => {
        cancelTimer?.();
        open.delete(end);
        injector.destroy();
      });
      injector.injectConnection(socket);
    },
    endAll() {
      for (const end of open) end();
    },
  };

  // Each connection is too old before that: a timer takes no more than 24 days.
  function scheduleEnd(atMs: number, end: () => void): () => void {
    return clock.schedule(Math.min(atMs - clock.nowMs(), 2 * limits.connectionAgeMs), end);
  }
}
