import { isIP } from "node:net";
import { isLoopbackHost } from "../../config/address.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { withoutBrackets } from "../../core/host.ts";

/**
 * Where subject tokens may be got from. A credential file comes from outside: followed blindly, it could have us ask
 * anybody on our network, or Google's own metadata server, and pass the answer on.
 * https://cloud.google.com/docs/authentication/external/externally-sourced-credentials
 */
export interface SubjectUrlRules {
  readonly universeDomain: string;
  /** Names of hosts that the config adds; a leading `*.` stands for any names before it. */
  readonly hosts: readonly string[];
}

const IMDS_HOST = "169.254.169.254";
const AWS_HOSTS: readonly string[] = [IMDS_HOST, "[fd00:ec2::254]"];
/** https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token */
const AZURE_PATH = "/metadata/identity/oauth2/token";
/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html */
const AWS_PATHS = [
  /^\/latest\/api\/token$/,
  /^\/latest\/meta-data\/placement\/(?:availability-zone|region)$/,
  /^\/latest\/meta-data\/iam\/security-credentials(?:\/[\w+=,.@-]{0,64})?$/,
];

/** @throws KeyServiceError `credential_rejected` */
export function checkSubjectUrl(url: URL, rules: SubjectUrlRules, what: string): void {
  if (!isAzure(url)) refuse(url, what, findFault(url, rules));
}

/** The same for AWS' metadata service, which its own kind may reach. @throws KeyServiceError `credential_rejected` */
export function checkAwsUrl(url: URL, what: string): void {
  const isImds = url.protocol === "http:" && url.port === "" && AWS_HOSTS.includes(url.hostname);
  const isLocal = url.protocol === "http:" && isLoopbackHost(withoutBrackets(url.hostname));
  const isKnown = AWS_PATHS.some((path) => path.test(url.pathname)) && url.username === "" && url.password === "";
  if ((isImds || isLocal) && isKnown) return;
  refuse(url, what, "it is not aws' metadata service", "use what gcloud iam workload-identity-pools writes for aws");
}

function isAzure(url: URL): boolean {
  return url.origin === `http://${IMDS_HOST}` && url.pathname === AZURE_PATH && !url.href.includes("@");
}

function findFault(url: URL, { hosts, universeDomain }: SubjectUrlRules): string | undefined {
  if (url.username !== "" || url.password !== "") return "it carries a user name or password";
  const host = withoutBrackets(url.hostname);
  if (url.protocol === "http:") {
    return isLoopbackHost(host) ? undefined : "plain http is for loopback addresses and azure's metadata service only";
  }
  if (hosts.some((allowed) => matches(host, allowed))) return undefined;
  const isOfUniverse = isIP(host) === 0 && url.port === "" && host.endsWith(`.${universeDomain}`);
  return isOfUniverse ? undefined : "the config does not allow this host";
}

function matches(host: string, allowed: string): boolean {
  return allowed.startsWith("*.") ? host.endsWith(allowed.slice(1)) : host === allowed;
}

const REMEDY = "if it is right, name its host under subjectTokenHosts of the token source";

function refuse(url: URL, what: string, fault: string | undefined, remedy = REMEDY): void {
  if (fault === undefined) return;
  throw new KeyServiceError("credential_rejected", {
    problem: `${what} names ${url.protocol}//${url.host}, which is refused: ${fault}`,
    remedy,
  });
}
