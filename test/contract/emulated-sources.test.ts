import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import type { TokenSourceConfig } from "../../src/config/config.ts";
import { createTokenSources } from "../../src/credentials/create.ts";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import type { FaultSpec } from "../../src/emulator/faults.ts";
import type { Endpoint } from "../../src/emulator/routes.ts";
import { settle } from "../fakes/clock.ts";
import { type CredentialFolder, createCredentialFolder, createEnvironment } from "../fakes/token-credentials.ts";
import { configureGoogle } from "../fakes/token-google.ts";
import {
  type CreateSubject,
  type TokenSourceUpstream,
  testTokenSource,
  testTokenSourceUpstream,
} from "./token-source-contract.ts";

const COMMAND = fileURLToPath(new URL("../fakes/ask-for-token.mjs", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../examples/token-source.ts", import.meta.url));
const BROKER_TOKEN = "canary-broker-token";

// One emulator for all: it keeps what it issued, and a login's refresh token is good for one use, as in production.
let emulator: Emulator;
let folder: CredentialFolder;
before(async () => {
  emulator = await startEmulator();
  folder = await createCredentialFolder();
  await folder.write("broker-token", BROKER_TOKEN);
});
after(async () => {
  await emulator.close();
  await folder[Symbol.asyncDispose]();
});

interface Kind {
  readonly type: TokenSourceConfig["type"];
  readonly endpoint: Endpoint;
  principal(): string | undefined;
  source(): TokenSourceConfig;
  /** The file whose every field but these is a secret, or none. */
  secrets(): Promise<readonly string[]>;
}

const KINDS: readonly Kind[] = [
  {
    type: "exec",
    endpoint: "oauth.token",
    principal: () => undefined,
    source: () => ({
      type: "exec",
      command: [process.execPath, COMMAND, `${emulator.url}/token`],
      env: ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"],
      cwd: folder.path,
      timeoutMs: 9000,
    }),
    secrets: () => secretsOf(emulator.files.authorizedUser, "client_secret", "refresh_token"),
  },
  {
    type: "module",
    endpoint: "metadata.token",
    principal: () => undefined,
    source: () => ({
      type: "module",
      path: EXAMPLE,
      options: {
        url: `${emulator.url}/computeMetadata/v1/instance/service-accounts/default/token`,
        tokenFile: join(folder.path, "broker-token"),
      },
    }),
    secrets: async () => [BROKER_TOKEN],
  },
  {
    type: "gdch_service_account",
    endpoint: "gdch.token",
    principal: () => emulator.principals.serviceIdentity,
    source: () => ({
      type: "gdch_service_account",
      credential: { kind: "file", path: emulator.files.gdchServiceAccount },
      audience: emulator.url,
    }),
    secrets: async () =>
      (await secretsOf(emulator.files.gdchServiceAccount, "private_key")).flatMap((pem) => pem.split("\n")[1] ?? []),
  },
  {
    type: "external_account_authorized_user",
    endpoint: "sts.oauthtoken",
    principal: () => undefined,
    source: () => ({
      type: "external_account_authorized_user",
      credential: { kind: "file", path: emulator.files.externalAccountAuthorizedUser },
    }),
    secrets: async () => [
      ...(await secretsOf(emulator.files.externalAccountAuthorizedUser, "client_secret", "refresh_token")),
      // Of every refresh token, the replaced ones as well.
      "emulated-workforce-refresh.",
    ],
  },
];

async function secretsOf(path: string, ...fields: readonly string[]): Promise<readonly string[]> {
  const content = JSON.parse(await readFile(path, "utf8"));
  return fields.map((field) => content[field]);
}

async function loginVariables(): Promise<Record<string, string>> {
  const login = JSON.parse(await readFile(emulator.files.authorizedUser, "utf8"));
  const { client_id: CLIENT_ID, client_secret: CLIENT_SECRET, refresh_token: REFRESH_TOKEN } = login;
  return { CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN };
}

const ECHO = "an answer that repeats what was sent";

function faultFor(state: Parameters<TokenSourceUpstream["become"]>[0], endpoint: Endpoint): FaultSpec | undefined {
  switch (state) {
    case "well":
      return undefined;
    case "down":
      return { endpoint, kind: "status", code: 503, body: ECHO };
    case "closing":
      return { endpoint, kind: "reset" };
    case "hanging":
      return { endpoint, kind: "hang" };
    case "babbling":
      return { endpoint, kind: "html" };
    case "flooding":
      return { endpoint, kind: "status", code: 200, body: "x".repeat(100_000) };
    case "redirecting":
      return { endpoint, kind: "status", code: 302, body: ECHO };
    case "refusing":
      return {
        endpoint,
        kind: "status",
        code: 400,
        body: { error: "invalid_grant", error_description: ECHO },
      };
  }
}

function createUpstream(endpoint: Endpoint): TokenSourceUpstream {
  const tokenRequests = () => emulator.admin.requests().counts[endpoint] ?? 0;
  return {
    tokenRequests,
    become(state) {
      emulator.admin.clearFaults();
      const fault = faultFor(state, endpoint);
      if (fault !== undefined) emulator.admin.addFault(fault);
    },
    async nextRequest() {
      const known = tokenRequests();
      while (tokenRequests() === known) await settle();
    },
  };
}

for (const kind of KINDS) {
  const createSubject: CreateSubject = async (clock) => {
    emulator.admin.clearFaults();
    emulator.admin.resetRequests();
    const endpoints = { kms: emulator.url, oauth2: emulator.url, sts: emulator.url };
    const config = {
      tokenSources: new Map([["subject", kind.source()]]),
      google: configureGoogle(endpoints),
      stateDirectory: join(folder.path, "state"),
    };
    const warn = (message: string) => assert.fail(`warned: ${message}`);
    const environment = createEnvironment(await loginVariables());
    const { holders } = createTokenSources(config, environment, clock, warn, { random: () => 0 });
    const holder = holders.get("subject");
    assert.ok(holder !== undefined);
    return {
      holder,
      principal: kind.principal(),
      secrets: [...(await kind.secrets()), ECHO],
      upstream: createUpstream(kind.endpoint),
      async [Symbol.asyncDispose]() {},
    };
  };
  testTokenSource(`${kind.type} at the emulator`, createSubject);
  testTokenSourceUpstream(`${kind.type} at the emulator`, createSubject);
}
