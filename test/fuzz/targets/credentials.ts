import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { parseCredential } from "../../../src/credentials/credential-document.ts";
import { mintAnyCredential } from "../../../src/credentials/credential-types.ts";
import { createEndpointPolicy } from "../../../src/credentials/endpoint-policy.ts";
import type { ExternalAccountOptions } from "../../../src/credentials/external-account.ts";
import { createRefreshTokens } from "../../../src/credentials/refresh-tokens.ts";
import { createRefreshing } from "../../../src/credentials/refreshing.ts";
import type { SourceContext } from "../../../src/credentials/source-context.ts";
import { createExternalAccountMint } from "../../../src/credentials/sources/external-account.ts";
import { createGdchMint } from "../../../src/credentials/sources/gdch-service-account.ts";
import { CLOUD_KMS_SCOPE, type Token } from "../../../src/credentials/token.ts";
import { MAX_LIFETIME_MS } from "../../../src/credentials/token-lifetime.ts";
import type { SendTokenRequest, TokenRequest } from "../../../src/credentials/token-request.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { GOOGLE } from "../../fakes/token-google.ts";
import { CANARY, expectPublic, expectRefusal } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";

const TRUSTED: ExternalAccountOptions = {
  delegates: [],
  lifetimeMs: undefined,
  allowExecutable: false,
  subjectTokenHosts: ["tokens.example.com"],
};
const clock = createFakeClock();

/**
 * A credential file of any type in one line, and what is answered to the requests that are sent for it, a line each.
 * `RSA_KEY` and `EC_KEY` stand for private keys, which no file of ours holds. What is asked must be an https host of
 * Google's, or one that the config names.
 */
export const credential: Target = {
  name: "credential",
  dictionary: [
    "\n",
    "access_token",
    "expires_in",
    "accessToken",
    "expireTime",
    "2026-01-01T01:00:00Z",
    "issued_token_type",
    "{",
    "}",
    ":",
    ",",
    '"',
    "null",
    "[",
    "]",
    "true",
    "\\n",
    "RSA_KEY",
    "EC_KEY",
    "type",
    "service_account",
    "authorized_user",
    "external_account",
    "external_account_authorized_user",
    "impersonated_service_account",
    "gdch_service_account",
    "universe_domain",
    "private_key",
    "private_key_id",
    "client_email",
    "token_uri",
    "client_id",
    "client_secret",
    "refresh_token",
    "audience",
    "subject_token_type",
    "token_url",
    "credential_source",
    "file",
    "url",
    "headers",
    "format",
    "json",
    "subject_token_field_name",
    "environment_id",
    "aws1",
    "region_url",
    "regional_cred_verification_url",
    "certificate",
    "use_default_certificate_config",
    "executable",
    "command",
    "service_account_impersonation_url",
    "service_account_impersonation",
    "token_lifetime_seconds",
    "delegates",
    "source_credentials",
    "token_info_url",
    "quota_project_id",
    "ca_cert_path",
    "/dev/zero",
    "/nonexistent",
    "/proc/self/environ",
    "https://sts.googleapis.com/v1/token",
    "https://evil.example/",
    "https://tokens.example.com/",
    "http://169.254.169.254/",
    "https://storage.googleapis.com/b",
    "@",
    "googleapis.com",
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/",
    CANARY,
  ],
  maxBytes: 2000,
  open() {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "pem", type: "pkcs8" });
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "pem", type: "pkcs8" });
    const inJson = (pem: string | Buffer) => JSON.stringify(pem.toString()).slice(1, -1);
    const [rsaText, ecText] = [inJson(rsa), inJson(ec)];
    return {
      async run(input) {
        const [file = "", ...answers] = input.toString("utf8").split("\n");
        const text = withoutCanaries(file).replace("RSA_KEY", rsaText).replace("EC_KEY", ecText);
        const hosts: string[] = [];
        try {
          const document = parseCredential({ text, origin: "file /etc/key.json" });
          const context = createContext(hosts, answers);
          const fetchToken = (signal: AbortSignal) => chooseMint(document.type)("team-a", document, context, signal);
          const holder = createRefreshing({ name: "team-a", fetchToken }, { clock, random: () => 0 });
          const token = await holder.getToken(new AbortController().signal);
          expectToken(token);
          return `token ${document.type} ${hosts.length} ${token.steps.length}`;
        } catch (thrown) {
          const kind = expectRefusal(thrown, ["credential_missing", "credential_rejected", "credential_unavailable"]);
          return `${hosts.length} ${kind.replace(/https?:\S+/g, "")}`;
        }
      },
    };
  },
};

const mintFederated = createExternalAccountMint(TRUSTED);
const mintGdch = createGdchMint("https://kms.example");

function chooseMint(type: string): typeof mintAnyCredential {
  if (type === "gdch_service_account") return mintGdch;
  return type === "external_account" ? mintFederated : mintAnyCredential;
}

/** Where files and endpoints are named, and who somebody is: that is shown, and no place for a secret. */
const SHOWN =
  /("(?:file|[a-z_]*url|audience|token_uri|[a-z_]*path|client_email|name|project|type|[a-z_]*type)"\s*:\s*"[^"]*)C4n4ry/g;

function withoutCanaries(file: string): string {
  const cleaned = file.replaceAll(SHOWN, "$1");
  return cleaned === file ? file : withoutCanaries(cleaned);
}

function expectToken({ accessToken, expiresAtMs, steps, principal = "" }: Token): void {
  assert.match(accessToken.reveal(), /^[!-~]+$/, "would not fit into a header");
  assert.ok(expiresAtMs > clock.nowMs() && expiresAtMs < clock.nowMs() + MAX_LIFETIME_MS, `${expiresAtMs}`);
  for (const text of [...steps, principal]) expectPublic(text);
}

/** @param hosts what was asked goes there */
function createContext(hosts: string[], answers: readonly string[]): SourceContext {
  const send = async ({ method, url, headers, body = "" }: TokenRequest) => {
    expectAllowed(url, method);
    const answer = answers[hosts.length];
    hosts.push(url.host);
    if (Object.values(headers).some((value) => /[^\t\x20-\x7e\x80-\xff]/.test(value))) throw unsendable();
    return { status: 200, headers: new Map<string, string>(), text: answer ?? answerTo(url, body) };
  };
  return {
    google: GOOGLE,
    scope: CLOUD_KMS_SCOPE,
    environment: createEnvironment(),
    clock,
    refreshTokens: createRefreshTokens({ stateDirectory: undefined, warn: () => {} }),
    warn: () => {},
    policy: createEndpointPolicy(GOOGLE),
    send: Object.assign(send, { prepare: async () => {} }) satisfies SendTokenRequest,
  };
}

/** As undici, which lets nothing through that would end a header. */
function unsendable(): KeyServiceError {
  return new KeyServiceError("credential_unavailable", {
    problem: "the endpoint cannot be reached",
    remedy: "try again",
  });
}

const LOOPBACK = /^(?:127(?:\.\d+){3}|localhost|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]+\])(?::\d+)?$/;
/** Of AWS and Azure, where machines get what says who they are; Google's own are not among them. */
const METADATA = /^http:\/\/(?:169\.254\.169\.254|\[fd00:ec2::254\])\/(?:latest\/|metadata\/identity\/oauth2\/token)/;
const GOOGLE_HOST = /^(?:[a-z0-9_-]+\.)+googleapis\.com$/;

function expectAllowed(url: URL, method: string): void {
  assert.equal(url.username + url.password, "");
  if (url.protocol === "http:") {
    assert.ok(LOOPBACK.test(url.host) || METADATA.test(url.href), `clear text to ${url.host}`);
    return;
  }
  assert.equal(url.protocol, "https:");
  const isGoogle = GOOGLE_HOST.test(url.host) && (method === "GET" || !/(?:^|\.)storage\./.test(url.host));
  assert.ok(isGoogle || url.host === "tokens.example.com", `${url.host} was asked`);
}

function answerTo(url: URL, body: string): string {
  const expireTime = new Date(clock.nowMs() + 3_600_000).toISOString();
  const usual = { access_token: "ya29.t", expires_in: 3600, token_type: "Bearer", issued_token_type: "x" };
  if (body.length % 7 === 0) return JSON.stringify({ error: "invalid_grant", error_description: body });
  return JSON.stringify({ ...usual, accessToken: "ya29.i", expireTime, id_token: "e30.e30.e30", from: url.pathname });
}
