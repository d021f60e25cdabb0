import { inspect } from "node:util";
import { isLoopbackHost } from "../config/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { createAccessLists } from "./access.ts";
import { createAdmin, type EmulatorAdmin } from "./admin.ts";
import { createAdminAnswer } from "./admin-routes.ts";
import { createAuthenticate } from "./authentication.ts";
import { type Connections, openConnections, type ServerCertificate } from "./connections.ts";
import { type CredentialDirectory, type EmulatorCredentialFiles, openCredentialDirectory } from "./credential-files.ts";
import { SUBJECT_TOKEN_AUDIENCE } from "./credential-json.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createFaults } from "./faults.ts";
import { createGdchRoutes } from "./gdch-routes.ts";
import type { RequestListener } from "./http.ts";
import { createIamRoutes } from "./iam-routes.ts";
import { createIdentities } from "./identities.ts";
import { createKeyState } from "./key-state.ts";
import { createKeyStore } from "./key-store.ts";
import { createKmsCryptoRoutes } from "./kms-crypto-routes.ts";
import { createKmsRoutes } from "./kms-routes.ts";
import { toUrl } from "./loopback.ts";
import { createMetadataRoutes } from "./metadata-routes.ts";
import { createOAuthRoutes } from "./oauth-routes.ts";
import {
  createWorkload,
  type EmulatorPrincipals,
  keepSubjectToken,
  PRINCIPALS,
  populate,
  SUBJECT,
  writeAccessToken,
} from "./population.ts";
import { createRequestLog } from "./request-log.ts";
import { EmulatorStartError } from "./start-error.ts";
import { openStateFile, type StateFile } from "./state-file.ts";
import { createStsRoutes } from "./sts-routes.ts";
import { createTokenRegistry } from "./token-registry.ts";
import { createWorkforceRoutes } from "./workforce-routes.ts";
import { createWorkloadRoutes } from "./workload-routes.ts";

export interface EmulatorOptions {
  /** `127.0.0.1` unless given; nothing but loopback is taken. */
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  /** Rings, keys and accounts must be made before they are used. */
  readonly strict?: boolean;
  /** Keeps keys over restarts; without it they are gone at the end. */
  readonly stateDirectory?: string;
  /** Where the credential files go; a private temporary directory unless given. */
  readonly credentialsDirectory?: string;
  /** How long tokens are good for; one hour unless given. Also the most that impersonation gives, if given. */
  readonly tokenLifetimeMs?: number;
  /** With it the port takes TLS as well. */
  readonly tls?: ServerCertificate;
  readonly clock?: Clock;
}

export interface Emulator {
  /** Base URL of everything, without a trailing slash. */
  readonly url: string;
  /** The same over TLS, where it has a certificate. */
  readonly tlsUrl: string | undefined;
  readonly port: number;
  readonly files: EmulatorCredentialFiles;
  readonly principals: EmulatorPrincipals;
  readonly admin: EmulatorAdmin;
  /** Ends every connection, also those that a fault lets hang, and removes the temporary files. */
  close(): Promise<void>;
}

const DEFAULT_TOKEN_LIFETIME_MS = 3_600_000;

/**
 * Cloud KMS and Google's token endpoints on one loopback port, for tests. Never for real secrets: its keys lie in
 * memory or in a plain file, and its credentials are there for everybody who can read them.
 *
 * @throws EmulatorStartError with a message for whoever started it
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { host = "127.0.0.1", port = 0, clock = systemClock } = options;
  if (!isLoopbackHost(host)) {
    throw new EmulatorStartError(`the emulator listens on loopback only, and ${host} is not: use 127.0.0.1`);
  }
  const kept = options.stateDirectory === undefined ? undefined : await openStateFile(options.stateDirectory);
  // Whoever connects before all is ready waits.
  const ready = Promise.withResolvers<RequestListener>();
  const connections = await openConnections({ host, port }, options.tls, (request, response) => {
    void ready.promise.then((listener) => listener(request, response));
  });
  const url = toUrl("http", host, connections.port);
  const closing = new AbortController();
  const opened = new AsyncDisposableStack();
  // A write that a cut request began must not meet the next start.
  opened.defer(() => kept?.settled());
  opened.defer(() => connections.close());
  try {
    const directory = await openCredentialDirectory(options.credentialsDirectory);
    opened.defer(() => directory.dispose());
    // First of all: what renews the files must not write while they are removed.
    opened.defer(() => closing.abort());
    const parts = await assemble({ options, clock, url, connections, directory, kept, signal: closing.signal });
    ready.resolve(parts.listener);
    return {
      url,
      tlsUrl: options.tls && toUrl("https", host, connections.port),
      port: connections.port,
      files: directory.files,
      principals: PRINCIPALS,
      admin: parts.admin,
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

interface AssemblyOptions {
  readonly options: EmulatorOptions;
  readonly clock: Clock;
  readonly url: string;
  readonly connections: Connections;
  readonly directory: CredentialDirectory;
  readonly kept: StateFile | undefined;
  readonly signal: AbortSignal;
}

async function assemble(assembly: AssemblyOptions): Promise<{ listener: RequestListener; admin: EmulatorAdmin }> {
  const { options, clock, url, connections, directory, kept, signal } = assembly;
  const { strict = false, tokenLifetimeMs = DEFAULT_TOKEN_LIFETIME_MS } = options;
  const identities = createIdentities();
  const tokens = createTokenRegistry(clock);
  const access = createAccessLists();
  const faults = createFaults();
  const log = createRequestLog();
  const issuer = `${url}/issuer`;
  const admin = createAdmin({
    clock,
    url,
    identities,
    tokens,
    access,
    faults,
    log,
    defaultIssuer: issuer,
    defaultAudience: SUBJECT_TOKEN_AUDIENCE,
    rotateAccessToken: () => writeAccessToken(directory, tokens),
  });
  const workload = createWorkload();
  await populate({ url, directory, identities, tokens, issuer, workload });
  await keepSubjectToken(clock, (subject) => admin.issueSubjectToken({ subject }), directory, signal);

  const { state = createKeyState(), save = async () => {} } = kept ?? {};
  const store = createKeyStore({ clock, strict, state, save });
  const authenticate = createAuthenticate({ clock, identities, tokens, url });
  const tokenEndpoint = { clock, identities, tokens, tokenLifetimeMs, url };
  const routes = [
    ...createKmsCryptoRoutes({ store, access, authenticate }),
    ...createKmsRoutes({ store, authenticate }),
    ...createOAuthRoutes(tokenEndpoint),
    ...createStsRoutes(tokenEndpoint),
    ...createWorkforceRoutes(tokenEndpoint),
    ...createGdchRoutes(tokenEndpoint),
    ...createIamRoutes({ access, authenticate, identities, tokens, strict, maxLifetimeMs: options.tokenLifetimeMs }),
    ...createWorkloadRoutes({ workload, issueSubjectToken: () => admin.issueSubjectToken({ subject: SUBJECT }) }),
    ...createMetadataRoutes({ identities, tokens, tokenLifetimeMs, defaultAccount: PRINCIPALS.metadata }),
  ];
  const listener = createDispatcher({
    clock,
    routes,
    faults,
    log,
    answerAdmin: createAdminAnswer(admin),
    signal,
    socketOf: connections.socketOf,
    onInternalError: (error) => process.stderr.write(`emulator: ${inspect(error)}\n`),
  });
  return { listener, admin };
}
