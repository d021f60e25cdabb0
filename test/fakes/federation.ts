import type { ExternalAccountSourceConfig } from "../../src/config/config.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createTokenSources } from "../../src/credentials/create.ts";
import type { TokenHolder } from "../../src/credentials/token.ts";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.ts";
import { type CredentialFolder, createCredentialFolder, createEnvironment } from "./token-credentials.ts";
import { configureGoogle } from "./token-google.ts";

export const JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt";
export const AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request";
export const MTLS_TYPE = "urn:ietf:params:oauth:token-type:mtls";
export const POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulated-pool";
export const AUDIENCE: string = `//iam.googleapis.com/${POOL}/providers/emulated-provider`;
export const WORKFORCE_POOL = "locations/global/workforcePools/staff";

export type Options = Partial<Omit<ExternalAccountSourceConfig, "type" | "credential">>;

/** The emulator, which verifies all that it gets, and files of the type external_account over it. */
export interface Federation extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder: CredentialFolder;
  /** A credential file over the emulator, as changed; undefined takes a field away. */
  credential(origin: object, changes?: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** A source over a credential, or over a file that is there already. */
  create(credential: object | string, options?: Options, more?: Surroundings): Promise<TokenHolder>;
}

export interface Surroundings {
  readonly variables?: Record<string, string>;
  readonly clock?: Clock;
  /** The Security Token Service, where it is not the emulator. */
  readonly sts?: string;
  readonly caFile?: string;
}

export async function startFederation(): Promise<Federation> {
  const emulator = await startEmulator();
  const folder = await createCredentialFolder();
  const { url } = emulator;
  let files = 0;
  return {
    emulator,
    folder,
    credential: (origin, changes = {}) => ({
      type: "external_account",
      audience: AUDIENCE,
      subject_token_type: JWT_TYPE,
      token_url: `${url}/v1/token`,
      credential_source: origin,
      universe_domain: "googleapis.com",
      ...changes,
    }),
    async create(credential, options = {}, { variables = {}, clock = systemClock, sts = url, caFile } = {}) {
      const location =
        typeof credential === "string"
          ? ({ kind: "file", path: credential } as const)
          : await folder.write(`credential-${++files}.json`, credential);
      const source: ExternalAccountSourceConfig = {
        type: "external_account",
        credential: location,
        delegates: [],
        lifetimeMs: undefined,
        allowExecutable: false,
        subjectTokenHosts: [],
        subjectTokenFrom: "credential",
        ...options,
      };
      const google = { ...configureGoogle({ kms: url, oauth2: url, sts, iamCredentials: url, metadata: url }), caFile };
      const config = { google, tokenSources: new Map([["subject", source]]) };
      const environment = createEnvironment({ PATH: "/usr/bin:/bin", ...variables });
      const { holderFor } = createTokenSources(config, environment, clock, () => {}, { random: () => 0 });
      return holderFor(["subject"]);
    },
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export function impersonationUrl(emulator: Emulator, account: string): string {
  return `${emulator.url}/v1/projects/-/serviceAccounts/${account}:generateAccessToken`;
}
