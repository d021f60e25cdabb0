import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** What a proxy does with a CONNECT: lets it through, refuses it with a status, or says nothing. */
export type ProxyManner = "tunnel" | "hang" | number;

export interface SeenConnect {
  /** As it was asked for: host and port. */
  readonly target: string;
  readonly authorization: string | undefined;
}

/** An HTTP proxy that takes CONNECT alone. */
export interface ConnectProxy {
  /** Without user and password. */
  readonly url: string;
  readonly connects: readonly SeenConnect[];
  manner: ProxyManner;
  /** Resolves when it was asked once more. */
  asked(): Promise<void>;
  close(): void;
}

/**
 * @param ports where to tunnel to on this machine, by the target's name: names of Google's are nobody's here; those that
 * are missing are refused with 502
 */
export async function startConnectProxy(ports: Readonly<Record<string, number>>): Promise<ConnectProxy> {
  const connects: SeenConnect[] = [];
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server = createServer((_, response) => response.writeHead(405).end());
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (request, downstream: Socket) => {
    const target = request.url ?? "";
    connects.push({ target, authorization: request.headers["proxy-authorization"] });
    for (const resolve of waiting.splice(0)) resolve();
    downstream.on("error", () => {});
    const upstream = answer(downstream, proxy.manner, ports[target.replace(/:\d+$/, "")]);
    if (upstream !== undefined) sockets.add(upstream);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connects,
    manner: "tunnel",
    asked: () => new Promise((wake) => waiting.push(wake)),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return proxy;
}

function answer(downstream: Socket, manner: ProxyManner, port: number | undefined): Socket | undefined {
  if (manner === "hang") return undefined;
  if (manner !== "tunnel" || port === undefined) {
    downstream.end(`HTTP/1.1 ${manner === "tunnel" ? 502 : manner} refused\r\ncontent-length: 0\r\n\r\n`);
    return undefined;
  }
  const upstream = connect(port, "127.0.0.1", () => {
    downstream.write("HTTP/1.1 200 connection established\r\n\r\n");
    downstream.pipe(upstream).pipe(downstream);
  });
  return upstream.on("error", () => downstream.destroy());
}
