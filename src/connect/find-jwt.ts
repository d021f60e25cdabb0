import type { CredentialLocation } from "../config/config.ts";
import { childEnvironment } from "../config/environment.ts";
import { KeyServiceError } from "../core/errors.ts";
import { parseJsonObject } from "../core/json.ts";
import { createCredentialReader } from "../credentials/credential-file.ts";
import { runProgram } from "../credentials/program.ts";
import { createTokenRequests } from "../credentials/token-request.ts";
import { createProxyChoice } from "../network/choose-proxy.ts";
import type { FindJwt, IdentitySurroundings } from "./identity-token.ts";

/** Where `--jwt` says that an identity token is found. */
export type JwtPlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly variable: string }
  | { readonly kind: "exec"; readonly command: readonly [string, ...string[]] }
  | { readonly kind: "github"; readonly audience: string };

/** Whom tokens are for, unless something else is said. */
const DEFAULT_AUDIENCE = "sops-keyd";
/** Where a pod's projected token is mounted in our examples. */
const KUBERNETES_FILE = "/var/run/secrets/sops-keyd/token";
/** What our GitLab recipe calls the job's `id_tokens` entry. */
const GITLAB_VARIABLE = "SOPS_KEYD_ID_TOKEN";

/** By the word before the colon; what stands behind it may be empty. */
const PLACES: Readonly<Record<string, (rest: string) => JwtPlace | string>> = {
  file: (path) => (path === "" ? "expected file:PATH" : { kind: "file", path }),
  env: parseVariable,
  exec: parseCommand,
  github: (audience) => ({ kind: "github", audience: audience || DEFAULT_AUDIENCE }),
  gitlab: (variable) => parseVariable(variable || GITLAB_VARIABLE),
  kubernetes: (path) => ({ kind: "file", path: path || KUBERNETES_FILE }),
};

/** The place, or in words what was expected (never the text itself: it may be a token). */
export function parseJwtPlace(text: string): JwtPlace | string {
  const colon = text.indexOf(":");
  const kind = colon === -1 ? text : text.slice(0, colon);
  const parse = Object.hasOwn(PLACES, kind) ? PLACES[kind] : undefined;
  const expected = "expected file:PATH, env:VARIABLE, exec:PROGRAM ARGUMENTS, github, gitlab or kubernetes";
  return parse?.(colon === -1 ? "" : text.slice(colon + 1)) ?? expected;
}

function parseVariable(variable: string): JwtPlace | string {
  return /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(variable) ? { kind: "env", variable } : "expected env:VARIABLE";
}

function parseCommand(line: string): JwtPlace | string {
  const [program, ...args] = line.split(" ").filter((word) => word !== "");
  return program === undefined ? "expected exec:PROGRAM ARGUMENTS" : { kind: "exec", command: [program, ...args] };
}

export function createFindJwt(place: JwtPlace, surroundings: IdentitySurroundings): FindJwt {
  switch (place.kind) {
    case "file":
    case "env":
      return createPlaceReader(place, surroundings);
    case "exec":
      return (signal) => runCommand(place.command, signal);
    case "github":
      return createGithubFinder(place.audience, surroundings);
  }
}

/** A place of ours is read as those of token sources are; what mends it is a flag, and not their config. */
function createPlaceReader(place: CredentialLocation, { environment, warn }: IdentitySurroundings): FindJwt {
  const read = createCredentialReader(place, environment, warn);
  return async () => {
    try {
      return await read();
    } catch (cause) {
      if (!(cause instanceof KeyServiceError) || cause.code !== "credential_missing") throw cause;
      throw new KeyServiceError("credential_missing", {
        problem:
          place.kind === "env"
            ? `environment variable ${place.variable}, which should hold the identity token, is not set`
            : `there is no identity token at ${place.path}`,
        remedy: "see that what issues it puts it there, or name another place with --jwt",
        cause,
      });
    }
  };
}

async function runCommand([program, ...args]: readonly [string, ...string[]], signal: AbortSignal) {
  const origin = `command ${program}`;
  const env = Object.fromEntries(Object.entries(childEnvironment({})).map(([name, value = ""]) => [name, value]));
  const outcome = await runProgram({ file: program, args, env }, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new KeyServiceError("credential_rejected", {
      problem: `${origin} could not be run`,
      remedy: "check that the program is there and executable, and prints a JWT and nothing else",
      cause,
    });
  });
  if (outcome.exitCode === 0) return { text: outcome.stdout, origin };
  throw new KeyServiceError("credential_unavailable", {
    problem: `${origin} ended with ${outcome.exitCode ?? outcome.exitSignal}`,
    remedy: "run it by hand and see what it says",
  });
}

/** https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token */
function createGithubFinder(audience: string, { environment }: IdentitySurroundings): FindJwt {
  const send = createTokenRequests(undefined, { chooseProxy: createProxyChoice(environment) });
  const origin = "GitHub Actions";
  return async (signal) => {
    const base = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL");
    const bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    if (base === undefined || bearer === undefined || !URL.canParse(base)) {
      throw new KeyServiceError("credential_missing", {
        problem: "this job of GitHub Actions may not ask for identity tokens, or is none",
        remedy: "give the job `permissions: { id-token: write }`",
      });
    }
    const url = new URL(base);
    url.searchParams.set("audience", audience);
    const headers = { authorization: `Bearer ${bearer}`, accept: "application/json" };
    const { status, text } = await send({ method: "GET", url, headers }, signal);
    const token = status === 200 ? parseJsonObject(text)?.["value"] : undefined;
    if (typeof token === "string") return { text: token, origin };
    throw new KeyServiceError("credential_unavailable", {
      problem: `${origin} answered ${status} when it was asked for an identity token`,
      remedy: "try again; if it stays, see whether GitHub Actions has an incident",
    });
  };
}
