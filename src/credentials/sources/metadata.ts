import { DEFAULT_UNIVERSE_DOMAIN } from "../../config/defaults.ts";
import { createDeadline } from "../../core/deadline.ts";
import { KeyServiceError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import type { SourceContext } from "../source-context.ts";
import type { TokenSource } from "../token.ts";
import { toRefusalError, uselessAnswer } from "../token-errors.ts";
import type { TokenResponse } from "../token-request.ts";

export interface MetadataOptions {
  /** `default` or a service account's email address. */
  readonly account: string;
  readonly timeoutMs: number;
}

/** The address rather than metadata.google.internal: a name would first have to be looked up, in vain elsewhere. */
const USUAL_ENDPOINT = "http://169.254.169.254";
const FLAVOR = "metadata-flavor";

/**
 * The identity of the machine, container or function that this runs on. Google's library has no time limit for
 * this request, so it is made here.
 * https://cloud.google.com/compute/docs/access/authenticate-workloads
 */
export function createMetadataSource(name: string, options: MetadataOptions, context: SourceContext): TokenSource {
  const { send, clock } = context;
  const accountPath = `instance/service-accounts/${options.account}`;
  let hasAnswered = false;
  let universeAgrees = false;

  const ask = async (path: string, signal: AbortSignal): Promise<TokenResponse> => {
    const { base } = locate(context);
    const url = new URL(`${base}/computeMetadata/v1/${path}`);
    // On a throttled machine loading takes longer than the answer, and would look like a server that is not there.
    await send.prepare();
    using deadline = createDeadline(clock, options.timeoutMs, "the metadata server did not answer in time", signal);
    const response = await send({ method: "GET", url, headers: { [FLAVOR]: "Google" } }, deadline.signal);
    // Anybody may listen on a link-local address; the metadata server says that it is Google's.
    if (response.headers.get(FLAVOR) === "Google") return response;
    throw new KeyServiceError("credential_unavailable", {
      problem: `${url.host} is not google's metadata server`,
      remedy: "check google.endpoints.metadata, or GCE_METADATA_HOST where sops-keyd is started",
    });
  };

  const askForToken = async (signal: AbortSignal): Promise<TokenResponse> => {
    try {
      const response = await ask(`${accountPath}/token?scopes=${encodeURIComponent(context.scope)}`, signal);
      hasAnswered = true;
      return response;
    } catch (error) {
      if (signal.aborted || hasAnswered || locate(context).isConfigured) throw asOutage(name, error);
      throw notOnGoogleCloud(name, error);
    }
  };

  return {
    name,
    async fetchToken(signal) {
      refuseWhereDetectionIsOff(name, context);
      const response = await askForToken(signal);
      if (response.status !== 200) throw refused(name, options.account, response);
      const token = readToken(name, response);
      // It stays what it is for as long as the machine runs.
      if (!universeAgrees) await refuseOtherUniverse(name, ask, context, signal);
      universeAgrees = true;
      const expiresAtMs = clock.nowMs() + token.lifeMs;
      const principal = options.account === "default" ? await askForEmail(ask, accountPath, signal) : options.account;
      return {
        accessToken: token.accessToken,
        expiresAtMs,
        ...(principal === undefined ? {} : { principal }),
        steps: [`metadata server, account ${options.account}`],
      };
    },
  };
}

function readToken(source: string, { text }: TokenResponse): { accessToken: Secret; lifeMs: number } {
  const body = parseJsonObject(text);
  const [accessToken, expiresInS] = [body?.["access_token"], body?.["expires_in"]];
  if (typeof accessToken !== "string" || accessToken === "" || typeof expiresInS !== "number") {
    throw uselessAnswer("the metadata server", source);
  }
  return { accessToken: new Secret(accessToken), lifeMs: expiresInS * 1000 };
}

/** Google's libraries heed this variable; it spares machines elsewhere the wait for an address that is nobody's. */
function refuseWhereDetectionIsOff(source: string, context: SourceContext): void {
  if (context.environment.get("METADATA_SERVER_DETECTION") !== "none" || locate(context).isConfigured) return;
  throw new KeyServiceError("credential_missing", {
    source,
    problem: "the metadata server is not asked: METADATA_SERVER_DETECTION is none",
    remedy: "unset it where sops-keyd is started, or configure another token source",
  });
}

type Ask = (path: string, signal: AbortSignal) => Promise<TokenResponse>;

/**
 * A token of another universe would be sent to hosts that do not know it, or should not see it. Where the server
 * does not say which is its own, which older ones do not, it is Google's usual one.
 *
 * @throws KeyServiceError `credential_rejected`
 */
async function refuseOtherUniverse(
  source: string,
  ask: Ask,
  { google }: SourceContext,
  signal: AbortSignal,
): Promise<void> {
  const { status, text } = await ask("universe/universe-domain", signal);
  const universe = status === 200 && text.trim() !== "" ? text.trim() : DEFAULT_UNIVERSE_DOMAIN;
  if (universe === google.universeDomain) return;
  throw new KeyServiceError("credential_rejected", {
    source,
    problem: `this machine is of another universe than the config's ${google.universeDomain}`,
    remedy: "set google.universeDomain in the config to that of the machine, or use another token source",
  });
}

/** For errors and the audit alone, so that a token is not given up for want of it. */
async function askForEmail(ask: Ask, accountPath: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { status, text } = await ask(`${accountPath}/email`, signal);
    return status === 200 && /^[\x21-\x7e]{3,254}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function locate({ google, environment }: SourceContext): { base: string; isConfigured: boolean } {
  const host = environment.get("GCE_METADATA_HOST");
  const configured = google.endpoints.metadata ?? (host === undefined ? undefined : `http://${host}`);
  return { base: configured ?? USUAL_ENDPOINT, isConfigured: configured !== undefined };
}

function asOutage(source: string, error: unknown): unknown {
  if (!(error instanceof KeyServiceError) || error.code !== "deadline_exceeded") return error;
  return new KeyServiceError("credential_unavailable", {
    source,
    problem: error.detail.problem,
    remedy: "try again; if it stays, raise timeout of the token source or check the machine's network",
    cause: error,
  });
}

function notOnGoogleCloud(source: string, cause: unknown): KeyServiceError {
  return new KeyServiceError("credential_missing", {
    source,
    problem: "there is no metadata server here: this does not run on google cloud",
    remedy: "configure another token source",
    cause,
  });
}

function refused(source: string, account: string, response: TokenResponse): KeyServiceError {
  const remedyFor = () => `check that the account ${account} is attached to this machine, with scope cloud-platform`;
  return toRefusalError(response, "the metadata server", { source, remedyFor });
}
