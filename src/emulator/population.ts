import { randomBytes } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { CredentialDirectory } from "./credential-files.ts";
import {
  federatedPrincipal,
  renderAuthorizedUser,
  renderExecutableResponse,
  renderExternalAccount,
  renderExternalAccountAws,
  renderExternalAccountExecutable,
  renderExternalAccountUrl,
  renderImpersonated,
  renderServiceAccountKey,
  renderServiceIdentityKey,
  renderWorkforceLogin,
  workforcePrincipal,
} from "./credential-json.ts";
import {
  addAwsKey,
  addGeneratedIssuer,
  addServiceIdentity,
  addUser,
  addWorkforceLogin,
  EMULATED_PROJECT_NUMBER,
  emailOf,
  ensureServiceAccount,
  generateServiceAccountKey,
  type Identities,
  serviceIdentityPrincipal,
} from "./identities.ts";
import { CLOUD_PLATFORM_SCOPE, type TokenRegistry } from "./token-registry.ts";
import { AWS_ROLE, SUBJECT_TOKEN_PATH, type Workload } from "./workload-routes.ts";

/** Who the credential files speak for. */
export interface EmulatorPrincipals {
  /** Of `serviceAccount` and of `accessToken`. */
  readonly serviceAccount: string;
  readonly secondServiceAccount: string;
  readonly user: string;
  /** Who the impersonating files end up as. */
  readonly impersonated: string;
  /** `principal://…` */
  readonly federated: string;
  /** `principal://…` of a workforce pool */
  readonly workforceUser: string;
  /** `system:serviceaccount:…` */
  readonly serviceIdentity: string;
  /** Of `externalAccountAws`. */
  readonly aws: string;
  /** The metadata server's `default`. */
  readonly metadata: string;
}

export const SUBJECT = "emulated-workload";
const SERVICE_IDENTITY = "emulated-identity";
const AWS_ARN = `arn:aws:sts::${EMULATED_PROJECT_NUMBER}:assumed-role/${AWS_ROLE}/i-0123456789abcdef0`;

export const PRINCIPALS: EmulatorPrincipals = {
  serviceAccount: emailOf("first"),
  secondServiceAccount: emailOf("second"),
  user: "developer@example.com",
  impersonated: emailOf("target"),
  federated: federatedPrincipal(SUBJECT),
  workforceUser: workforcePrincipal("emulated-employee"),
  serviceIdentity: serviceIdentityPrincipal(SERVICE_IDENTITY),
  aws: federatedPrincipal(AWS_ARN),
  metadata: emailOf("machine"),
};

// Subject tokens are good for a day.
const SUBJECT_TOKEN_RENEWAL_MS = 12 * 60 * 60 * 1000;
// A token from a file is for tests that care for something else; `expireTokens` ends it like any other.
const STATIC_TOKEN_LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;

export interface PopulationOptions {
  readonly url: string;
  readonly directory: CredentialDirectory;
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  readonly issuer: string;
  readonly workload: Workload;
}

export function createWorkload(): Workload {
  const random = () => randomBytes(20).toString("hex");
  return {
    bearer: `emulated-job.${random()}`,
    imdsToken: `emulated-imds.${random()}`,
    aws: {
      accessKeyId: `ASIA${random().slice(0, 16).toUpperCase()}`,
      secretAccessKey: `emulated-aws.${random()}`,
      sessionToken: `emulated-session.${random()}`,
      arn: AWS_ARN,
    },
  };
}

/** Makes the first identities and writes a credential file for each; the keys are made side by side. */
export async function populate(options: PopulationOptions): Promise<void> {
  const { url, directory, identities, tokens, issuer, workload } = options;
  addAwsKey(identities, workload.aws);
  ensureServiceAccount(identities, PRINCIPALS.impersonated);
  ensureServiceAccount(identities, PRINCIPALS.metadata);
  const user = renderAuthorizedUser(addUser(identities, PRINCIPALS.user), url);
  const login = addWorkforceLogin(identities, PRINCIPALS.workforceUser);
  const [firstKey, secondKey, identityKey] = await Promise.all([
    generateServiceAccountKey(identities, PRINCIPALS.serviceAccount),
    generateServiceAccountKey(identities, PRINCIPALS.secondServiceAccount),
    addServiceIdentity(identities, SERVICE_IDENTITY),
    addGeneratedIssuer(identities, issuer),
  ]);
  const first = renderServiceAccountKey(firstKey, url);
  const { subjectToken, executableResponse } = directory.files;
  await Promise.all([
    directory.write("serviceAccount", first),
    directory.write("secondServiceAccount", renderServiceAccountKey(secondKey, url)),
    directory.write("authorizedUser", user),
    directory.write("impersonatedServiceAccount", renderImpersonated(PRINCIPALS.impersonated, first, url)),
    directory.write("impersonatedByUser", renderImpersonated(PRINCIPALS.impersonated, user, url)),
    directory.write("externalAccount", renderExternalAccount(subjectToken, url)),
    directory.write("externalAccountImpersonating", renderExternalAccount(subjectToken, url, PRINCIPALS.impersonated)),
    directory.write("externalAccountAuthorizedUser", renderWorkforceLogin(login, url)),
    directory.write("gdchServiceAccount", renderServiceIdentityKey(identityKey, url)),
    directory.write("externalAccountUrl", renderExternalAccountUrl(SUBJECT_TOKEN_PATH, workload.bearer, url)),
    directory.write("externalAccountExecutable", renderExternalAccountExecutable(executableResponse, url)),
    directory.write("externalAccountAws", renderExternalAccountAws(url)),
    writeAccessToken(directory, tokens),
  ]);
}

export async function writeAccessToken(directory: CredentialDirectory, tokens: TokenRegistry): Promise<void> {
  const { serviceAccount } = PRINCIPALS;
  const issued = tokens.issue("static", serviceAccount, [CLOUD_PLATFORM_SCOPE], STATIC_TOKEN_LIFETIME_MS);
  await directory.write("accessToken", `${issued.token}\n`);
}

/** Writes a subject token, bare and as an executable's response, now, and a new one long before it expires, until the signal fires. */
export async function keepSubjectToken(
  clock: Clock,
  issue: (subject: string) => Promise<string>,
  directory: CredentialDirectory,
  signal: AbortSignal,
): Promise<void> {
  const write = async () => {
    const token = await issue(SUBJECT);
    const expiresAtMs = clock.nowMs() + 2 * SUBJECT_TOKEN_RENEWAL_MS;
    await directory.write("subjectToken", token);
    await directory.write("executableResponse", renderExecutableResponse(token, expiresAtMs));
  };
  let cancel = (): void => {};
  const scheduleNext = () => {
    cancel = clock.schedule(SUBJECT_TOKEN_RENEWAL_MS, () => {
      scheduleNext();
      // A file that cannot be written, because somebody took its directory away, is seen by whoever reads it.
      write().catch(() => {});
    });
  };
  await write();
  scheduleNext();
  signal.addEventListener("abort", () => cancel(), { once: true });
}
