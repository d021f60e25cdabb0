import { type JSONWebKeySet, SignJWT } from "jose";
import type { Clock } from "../core/clock.ts";
import type { AccessGrant, AccessLists, ImpersonationPolicy } from "./access.ts";
import { renderServiceAccountKey, type ServiceAccountKeyFile } from "./credential-json.ts";
import type { FaultSpec, Faults, SetFault } from "./faults.ts";
import {
  addAwsKey,
  addCertificateAuthority,
  addGeneratedIssuer,
  addIssuer,
  addPublicKey,
  generateServiceAccountKey,
  type Identities,
  setProviderDeleted,
} from "./identities.ts";
import type { RequestLog, RequestReport } from "./request-log.ts";
import type { TokenRegistry } from "./token-registry.ts";

export interface SubjectTokenRequest {
  readonly subject: string;
  /** The emulator's own issuer unless given; it must be one whose key the emulator made. */
  readonly issuer?: string;
  /** What Google expects for the emulator's provider, unless given. */
  readonly audience?: string;
  /** One day unless given; may be negative, for a token that has already expired. */
  readonly lifetimeMs?: number;
  /** More claims; these win. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface IssuerRequest {
  readonly issuer: string;
  /** Left out: the emulator makes a key, and can then issue tokens of this issuer. */
  readonly jwks?: JSONWebKeySet;
  /** Left out: the audience must be the provider's name, as with Google. */
  readonly audiences?: readonly string[];
}

export interface AwsKeyRequest {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Then requests must carry it. */
  readonly sessionToken?: string;
  /** Whose key it is; the subject of its principal. */
  readonly arn: string;
}

/** Drives the emulator: what `/emulator/…` does over HTTP, in-process. */
export interface EmulatorAdmin {
  addFault(fault: FaultSpec): string;
  faults(): readonly SetFault[];
  /** Without an id: all of them. */
  clearFaults(id?: string): void;
  /** Who may use a key; an empty list refuses everybody, undefined lets everybody in again. */
  setAccess(key: string, grants: readonly AccessGrant[] | undefined): void;
  access(): Readonly<Record<string, readonly AccessGrant[]>>;
  /** Who may impersonate an account; undefined lets everybody again. */
  setImpersonation(account: string, policy: ImpersonationPolicy | undefined): void;
  impersonation(): Readonly<Record<string, ImpersonationPolicy>>;
  requests(): RequestReport;
  resetRequests(): void;
  /** Ends all tokens, or all of one principal; credentials still get new ones. Returns how many were valid. */
  expireTokens(principal?: string): number;
  /** Ends a principal's tokens and refuses its refresh tokens and keys from now on. */
  revoke(principal: string): void;
  /** Writes a new token into the access token file; the one before stays what it is. */
  rotateAccessToken(): Promise<void>;
  addIssuer(request: IssuerRequest): Promise<void>;
  issueSubjectToken(request: SubjectTokenRequest): Promise<string>;
  /** Lets the STS endpoint refuse an audience as if its provider had been deleted, or take it again. */
  setProviderDeleted(audience: string, deleted: boolean): void;
  /** Lets requests that were signed with this key be exchanged. */
  addAwsKey(request: AwsKeyRequest): void;
  /** Lets certificates that this one has issued be exchanged. */
  addCertificateAuthority(certificatePem: string): void;
  /** A new key of an account, which is made if need be: the content of a key file. */
  createServiceAccountKey(email: string): Promise<ServiceAccountKeyFile>;
  /** Lets an account sign with a key that the emulator did not make. */
  registerPublicKey(email: string, keyId: string, publicKeyPem: string): void;
}

export interface AdminDependencies {
  readonly clock: Clock;
  readonly url: string;
  readonly identities: Identities;
  readonly tokens: TokenRegistry;
  readonly access: AccessLists;
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly defaultIssuer: string;
  readonly defaultAudience: string;
  readonly rotateAccessToken: () => Promise<void>;
}

// The longest that Google takes.
const SUBJECT_TOKEN_LIFETIME_MS = 24 * 60 * 60 * 1000;

export function createAdmin(dependencies: AdminDependencies): EmulatorAdmin {
  const { access, faults, identities, log, tokens, url } = dependencies;
  return {
    addFault: faults.add,
    faults: faults.list,
    clearFaults: faults.clear,
    setAccess: access.setAccess,
    access: () => Object.fromEntries(access.access()),
    setImpersonation: access.setImpersonation,
    impersonation: () => Object.fromEntries(access.impersonation()),
    requests: log.report,
    resetRequests: log.reset,
    expireTokens: tokens.expire,
    revoke(principal) {
      tokens.expire(principal);
      identities.serviceAccounts.get(principal)?.keys.clear();
      for (const user of identities.users.values()) if (user.email === principal) user.revoked = true;
      for (const login of identities.workforceLogins.values()) if (login.principal === principal) login.revoked = true;
      identities.serviceIdentities.get(principal)?.keys.clear();
    },
    rotateAccessToken: dependencies.rotateAccessToken,
    async addIssuer({ issuer, jwks, audiences }) {
      if (jwks === undefined) await addGeneratedIssuer(identities, issuer, audiences);
      else addIssuer(identities, issuer, jwks, audiences);
    },
    setProviderDeleted: (audience, deleted) => setProviderDeleted(identities, audience, deleted),
    addAwsKey: (key) => addAwsKey(identities, { ...key, sessionToken: key.sessionToken }),
    addCertificateAuthority: (pem) => addCertificateAuthority(identities, pem),
    issueSubjectToken: (request) => issueSubjectToken(request, dependencies),
    createServiceAccountKey: async (email) =>
      renderServiceAccountKey(await generateServiceAccountKey(identities, email), url),
    registerPublicKey: (email, keyId, pem) => addPublicKey(identities, email, keyId, pem),
  };
}

async function issueSubjectToken(
  request: SubjectTokenRequest,
  { clock, identities, defaultIssuer, defaultAudience }: AdminDependencies,
): Promise<string> {
  const { subject, issuer = defaultIssuer, audience = defaultAudience, claims = {} } = request;
  const { lifetimeMs = SUBJECT_TOKEN_LIFETIME_MS } = request;
  const signingKey = identities.issuers.get(issuer)?.signingKey;
  if (signingKey === undefined) throw new RangeError(`the emulator has no signing key of the issuer ${issuer}`);
  const nowMs = clock.nowMs();
  // A token that is to be expired was issued before it expired.
  const issuedAtMs = Math.min(nowMs, nowMs + lifetimeMs - 1000);
  const registered = {
    iss: issuer,
    sub: subject,
    aud: audience,
    iat: Math.floor(issuedAtMs / 1000),
    exp: Math.floor((nowMs + lifetimeMs) / 1000),
  };
  return new SignJWT({ ...registered, ...claims })
    .setProtectedHeader({ alg: "ES256", kid: signingKey.keyId, typ: "JWT" })
    .sign(signingKey.privateKey);
}
