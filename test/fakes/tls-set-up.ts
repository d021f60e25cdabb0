import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { credentials } from "@grpc/grpc-js";
import type { CallOrigin } from "../../src/backends/backend.ts";
import type { LimitsConfig, TcpListenerConfig } from "../../src/config/config.ts";
import { DEFAULT_LIMITS } from "../../src/config/defaults.ts";
import type { TlsConfig } from "../../src/config/tls.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { KeyService } from "../../src/key-service.ts";
import type { ServerEvent } from "../../src/server/events.ts";
import { type KeyServer, startServer } from "../../src/server/server.ts";
import { createCertificate, type TestCertificate } from "./certificates.ts";
import { createTlsKeyClient, type KeyClient } from "./key-client.ts";

/** What the servers of these tests are called in their certificates. */
export const SERVER_NAME = "server.test";

/** Files of a listener's tls, in a directory that goes with the test. */
export interface TlsFolder {
  readonly path: string;
  readonly tls: TlsConfig;
  readonly ca: TestCertificate;
  /** Writes a certificate with its key. */
  write(pair: Pick<TestCertificate, "certificate" | "privateKey">): void;
  writeClientCa(...authorities: readonly TestCertificate[]): void;
}

export function createTlsFolder(
  t: TestContext,
  clientCertificate: TlsConfig["clientCertificate"] = "required",
): TlsFolder {
  const path = mkdtempSync(join(tmpdir(), "tls-"));
  t.after(() => rmSync(path, { recursive: true }));
  const ca = createCertificate({ name: "test CA", authority: true });
  const tls: TlsConfig = {
    certificate: join(path, "tls.crt"),
    privateKey: join(path, "tls.key"),
    clientCa: clientCertificate === "none" ? undefined : join(path, "ca.crt"),
    clientCertificate,
  };
  const folder: TlsFolder = {
    path,
    tls,
    ca,
    write({ certificate, privateKey }) {
      writeFileSync(tls.certificate, certificate);
      writeFileSync(tls.privateKey, privateKey);
    },
    writeClientCa: (...authorities) =>
      writeFileSync(join(path, "ca.crt"), authorities.map(({ certificate }) => certificate).join("")),
  };
  folder.write(serverCertificate(ca));
  folder.writeClientCa(ca);
  return folder;
}

export function serverCertificate(issuer: TestCertificate): TestCertificate {
  return createCertificate({ name: "server", issuer, address: SERVER_NAME });
}

export interface TlsServer extends TlsFolder {
  readonly server: KeyServer;
  readonly address: string;
  readonly port: number;
  /** Where the calls came from. */
  readonly calls: readonly CallOrigin[];
  readonly events: readonly ServerEvent[];
  /** @param client what it shows; undefined: no certificate */
  connect(client?: TestCertificate): KeyClient;
}

export interface TlsServerOptions {
  readonly clientCertificate?: TlsConfig["clientCertificate"];
  readonly limits?: Partial<LimitsConfig>;
  readonly clock?: Clock;
  readonly answer?: KeyService["decrypt"];
}

/** A server with one TLS listener, whose service keeps in mind who called. */
export async function startTlsServer(t: TestContext, options: TlsServerOptions = {}): Promise<TlsServer> {
  const folder = createTlsFolder(t, options.clientCertificate);
  const [calls, events]: [CallOrigin[], ServerEvent[]] = [[], []];
  const { answer = () => Promise.resolve(Buffer.from("x")), clock = systemClock } = options;
  const work: KeyService["decrypt"] = (key, payload, context) => {
    calls.push(context);
    return context.refusal === undefined ? answer(key, payload, context) : Promise.reject(context.refusal);
  };
  const service: KeyService = { encrypt: work, decrypt: work, refused: () => {} };
  const listener: TcpListenerConfig = {
    kind: "tcp",
    host: "127.0.0.1",
    port: 0,
    insecure: false,
    caller: undefined,
    tls: folder.tls,
  };
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = await startServer([listener], limits, service, clock, { report: (event) => events.push(event) });
  const [address = ""] = server.addresses;
  const clients: KeyClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await server.drain();
  });
  return {
    ...folder,
    server,
    address,
    port: Number(new URL(address).port),
    calls,
    events,
    connect(client) {
      const [key, certificate] = [client?.privateKey, client?.certificate].map((pem) =>
        pem === undefined ? null : Buffer.from(pem),
      );
      const ofTls = credentials.createSsl(Buffer.from(folder.ca.certificate), key, certificate);
      const connected = createTlsKeyClient(address, ofTls, SERVER_NAME);
      clients.push(connected);
      return connected;
    },
  };
}
