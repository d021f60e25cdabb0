import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TokenSourceConfig } from "../../src/config/config.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createTokenSources } from "../../src/credentials/create.ts";
import type { TokenHolder } from "../../src/credentials/token.ts";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import type { Endpoint } from "../../src/emulator/routes.ts";
import { type CredentialFolder, createCredentialFolder, createEnvironment } from "./token-credentials.ts";
import { configureGoogle } from "./token-google.ts";

/** An emulator and a folder, and sources over both; everything goes with it. */
export interface EmulatedSetUp extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder: CredentialFolder;
  readonly warnings: string[];
  /** As a start of the program makes them: nothing but the process and the disk is shared by two calls. */
  create(sources: Record<string, TokenSourceConfig>, options?: EmulatedOptions): (name: string) => TokenHolder;
  requests(endpoint: Endpoint): number;
}

export interface EmulatedOptions {
  /** In the folder. */
  readonly stateDirectory?: string;
  readonly clock?: Clock;
  readonly endpoints?: Record<string, string>;
  readonly caFile?: string;
}

export async function setUpEmulated(): Promise<EmulatedSetUp> {
  const emulator = await startEmulator();
  const folder = await createCredentialFolder();
  const warnings: string[] = [];
  const { url } = emulator;
  return {
    emulator,
    folder,
    warnings,
    create(sources, { clock = systemClock, stateDirectory, endpoints = { oauth2: url, sts: url }, caFile } = {}) {
      const config = {
        tokenSources: new Map(Object.entries(sources)),
        google: { ...configureGoogle(endpoints), caFile },
        stateDirectory: stateDirectory === undefined ? undefined : join(folder.path, stateDirectory),
      };
      const warn = (message: string) => warnings.push(message);
      const created = createTokenSources(config, createEnvironment(), clock, warn, { random: () => 0 });
      return (name) => created.holderFor([name]);
    },
    requests: (endpoint) => emulator.admin.requests().counts[endpoint] ?? 0,
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export async function readJson(path: string): Promise<Record<string, string>> {
  return JSON.parse(await readFile(path, "utf8"));
}
