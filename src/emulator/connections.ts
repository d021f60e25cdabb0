import { createServer as createHttpServer, type RequestListener as HttpRequestListener } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { HttpRequest, RequestListener } from "./http.ts";
import { EmulatorStartError } from "./start-error.ts";

/** A server's certificate chain and its key, both PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface Connections {
  readonly port: number;
  /** The connection that a request came by, below TLS. */
  socketOf(request: HttpRequest): Socket | undefined;
  /** Ends all connections. */
  close(): Promise<void>;
}

// What a connection begins with: RFC 8446, section 5.1, and RFC 9113, section 3.4. "PRI" begins no method of HTTP/1.1.
const TLS_HANDSHAKE = 0x16;
const HTTP2_PREFACE = "PRI";
/** Whoever connects and says nothing is not waited for. */
const FIRST_BYTES_MS = 30_000;

/**
 * One port for all: HTTP/1.1, and HTTP/2 by prior knowledge, as gRPC clients speak it; both also over TLS where there
 * is a certificate.
 *
 * @throws EmulatorStartError
 */
export async function openConnections(
  address: { readonly host: string; readonly port: number },
  certificate: ServerCertificate | undefined,
  listener: RequestListener,
): Promise<Connections> {
  const sockets = new Map<string, Socket>();
  const http1 = createHttpServer({ keepAliveTimeout: 60_000 }, listener as HttpRequestListener);
  const http2 = createHttp2Server(listener as (request: Http2ServerRequest, response: Http2ServerResponse) => void);
  const serve = (socket: Socket, isHttp2: boolean) => (isHttp2 ? http2 : http1).emit("connection", socket);
  const tls = certificate && createTls(certificate, serve);

  const server = createServer({ noDelay: true }, (socket) => {
    const key = peerOf(socket);
    sockets.set(key, socket);
    socket.once("close", () => sockets.delete(key));
    // A client that goes away is its own business.
    socket.on("error", () => {});
    onFirstBytes(socket, HTTP2_PREFACE.length, (first) => {
      if (first[0] !== TLS_HANDSHAKE) serve(socket, first.toString("latin1") === HTTP2_PREFACE);
      else if (tls === undefined) socket.destroy();
      else tls.emit("connection", socket);
    });
  });
  const port = await listen(server, address.host, address.port);
  return {
    port,
    socketOf: ({ socket }) => sockets.get(peerOf(socket)),
    close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const socket of sockets.values()) socket.destroy();
      return promise;
    },
  };
}

function createTls({ certificate, privateKey }: ServerCertificate, serve: (socket: Socket, isHttp2: boolean) => void) {
  const options = { cert: certificate, key: privateKey, ALPNProtocols: ["h2", "http/1.1"] };
  try {
    return createTlsServer(options, (socket) => serve(socket, socket.alpnProtocol === "h2"));
  } catch (cause) {
    throw new EmulatorStartError("the certificate and its key cannot be used: give both in PEM, and of one pair", {
      cause,
    });
  }
}

/** Looks at the first bytes of a connection, and leaves them there for whoever is to read them. */
function onFirstBytes(socket: Socket, count: number, then: (first: Buffer) => void): void {
  const look = () => {
    const first = socket.read(count) as Buffer | null;
    if (first === null) return;
    socket.off("readable", look);
    socket.setTimeout(0);
    socket.unshift(first);
    then(first);
  };
  socket.setTimeout(FIRST_BYTES_MS, () => socket.destroy());
  socket.on("readable", look);
}

function peerOf({ remoteAddress, remotePort }: HttpRequest["socket"]): string {
  return `${remoteAddress}:${remotePort}`;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", (cause: NodeJS.ErrnoException) => {
    const taken = cause.code === "EADDRINUSE";
    const why = taken ? "the port is in use: choose another, or 0 for any" : cause.message;
    reject(new EmulatorStartError(`cannot listen on ${host}:${port}: ${why}`, { cause }));
  });
  server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  return promise;
}
