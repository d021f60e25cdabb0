import { createPublicKey, generateKeyPair, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";

const generate = promisify(generateKeyPair);

export const EMULATED_PROJECT = "emulated-project";
export const EMULATED_PROJECT_NUMBER = "123456789012";

export interface ServiceAccount {
  readonly email: string;
  /** Public keys by key id. */
  readonly keys: Map<string, KeyObject>;
}

export interface ServiceAccountKey {
  readonly email: string;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

export interface User {
  readonly email: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** The refresh token is refused from then on. */
  revoked: boolean;
}

/** A person of a workforce pool: each refresh token is good for one use, and its answer brings the next. */
export interface WorkforceLogin {
  /** `principal://…` */
  readonly principal: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The only one that is taken. */
  refreshToken: string;
  /** No refresh token is taken from then on. */
  revoked: boolean;
}

/** A service identity of Google Distributed Cloud. */
export interface ServiceIdentity {
  /** `system:serviceaccount:PROJECT:NAME` */
  readonly principal: string;
  readonly name: string;
  /** Public keys by key id. */
  readonly keys: Map<string, KeyObject>;
}

export interface ServiceIdentityKey {
  readonly name: string;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** Whose subject tokens the STS endpoint takes. */
export interface SubjectTokenIssuer {
  readonly issuer: string;
  readonly findKey: JWTVerifyGetKey;
  /** Left out: what Google takes, the provider's own name. */
  readonly audiences: readonly string[] | undefined;
  /** Only where the emulator made the key: then it can issue tokens. */
  readonly signingKey: { readonly keyId: string; readonly privateKey: KeyObject } | undefined;
}

/** Who signs requests to AWS. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Undefined for keys that do not expire. */
  readonly sessionToken: string | undefined;
  /** `arn:aws:sts::123456789012:assumed-role/ROLE/SESSION` */
  readonly arn: string;
}

/** Everybody whom the emulator knows. */
export interface Identities {
  readonly serviceAccounts: Map<string, ServiceAccount>;
  /** By refresh token. */
  readonly users: Map<string, User>;
  /** By issuer. */
  readonly issuers: Map<string, SubjectTokenIssuer>;
  /** By client id. */
  readonly workforceLogins: Map<string, WorkforceLogin>;
  /** By principal. */
  readonly serviceIdentities: Map<string, ServiceIdentity>;
  /** By access key id. */
  readonly awsKeys: Map<string, AwsKey>;
  /** Whose certificates the STS endpoint takes. */
  readonly certificateAuthorities: X509Certificate[];
  /** Audiences whose provider was deleted. */
  readonly deletedProviders: Set<string>;
}

const MAX_IDENTITIES = 1000;

export function createIdentities(): Identities {
  return {
    serviceAccounts: new Map(),
    users: new Map(),
    issuers: new Map(),
    workforceLogins: new Map(),
    serviceIdentities: new Map(),
    awsKeys: new Map(),
    certificateAuthorities: [],
    deletedProviders: new Set(),
  };
}

export function emailOf(account: string): string {
  return `${account}@${EMULATED_PROJECT}.iam.gserviceaccount.com`;
}

/** The account, made where it is new. */
export function ensureServiceAccount(identities: Identities, email: string): ServiceAccount {
  const known = identities.serviceAccounts.get(email);
  if (known !== undefined) return known;
  if (identities.serviceAccounts.size >= MAX_IDENTITIES) throw new RangeError("there are too many service accounts");
  const account = { email, keys: new Map<string, KeyObject>() };
  identities.serviceAccounts.set(email, account);
  return account;
}

/** A new key of an account. Takes about a tenth of a second, off this thread. */
export async function generateServiceAccountKey(identities: Identities, email: string): Promise<ServiceAccountKey> {
  const { publicKey, privateKey } = await generate("rsa", { modulusLength: 2048 });
  const keyId = randomBytes(20).toString("hex");
  ensureServiceAccount(identities, email).keys.set(keyId, publicKey);
  return { email, keyId, privateKey };
}

/** @throws Error where the text is not a public key or certificate in PEM */
export function addPublicKey(identities: Identities, email: string, keyId: string, pem: string): void {
  ensureServiceAccount(identities, email).keys.set(keyId, createPublicKey(pem));
}

export function addUser(identities: Identities, email: string): User {
  const user: User = {
    email,
    clientId: `${randomBytes(8).toString("hex")}.apps.googleusercontent.com`,
    clientSecret: `emulated-secret.${randomBytes(16).toString("base64url")}`,
    refreshToken: `emulated-refresh.${randomBytes(32).toString("base64url")}`,
    revoked: false,
  };
  identities.users.set(user.refreshToken, user);
  return user;
}

export function addWorkforceLogin(identities: Identities, principal: string): WorkforceLogin {
  const login: WorkforceLogin = {
    principal,
    clientId: `emulated-workforce-${randomBytes(8).toString("hex")}`,
    clientSecret: `emulated-secret.${randomBytes(16).toString("base64url")}`,
    refreshToken: generateWorkforceRefreshToken(),
    revoked: false,
  };
  identities.workforceLogins.set(login.clientId, login);
  return login;
}

export function generateWorkforceRefreshToken(): string {
  return `emulated-workforce-refresh.${randomBytes(32).toString("base64url")}`;
}

/** A service identity with its first key; Google Distributed Cloud makes them on P-256. */
export async function addServiceIdentity(identities: Identities, name: string): Promise<ServiceIdentityKey> {
  const { publicKey, privateKey } = await generate("ec", { namedCurve: "P-256" });
  const keyId = randomBytes(20).toString("hex");
  const principal = serviceIdentityPrincipal(name);
  identities.serviceIdentities.set(principal, { principal, name, keys: new Map([[keyId, publicKey]]) });
  return { name, keyId, privateKey };
}

export function serviceIdentityPrincipal(name: string): string {
  return `system:serviceaccount:${EMULATED_PROJECT}:${name}`;
}

export function addAwsKey({ awsKeys }: Identities, key: AwsKey): void {
  if (awsKeys.size >= MAX_IDENTITIES) throw new RangeError("there are too many aws keys");
  awsKeys.set(key.accessKeyId, key);
}

/** @throws Error where the text is not a certificate in PEM */
export function addCertificateAuthority({ certificateAuthorities }: Identities, pem: string): void {
  if (certificateAuthorities.length >= MAX_IDENTITIES) throw new RangeError("there are too many authorities");
  certificateAuthorities.push(new X509Certificate(pem));
}

export function setProviderDeleted({ deletedProviders }: Identities, audience: string, deleted: boolean): void {
  if (deletedProviders.size >= MAX_IDENTITIES) throw new RangeError("there are too many deleted providers");
  if (deleted) deletedProviders.add(audience);
  else deletedProviders.delete(audience);
}

/** An issuer whose key the emulator makes, so that it can issue tokens in its name. */
export async function addGeneratedIssuer(
  identities: Identities,
  issuer: string,
  audiences?: readonly string[],
): Promise<void> {
  const { publicKey, privateKey } = await generate("ec", { namedCurve: "P-256" });
  const keyId = randomBytes(8).toString("hex");
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: keyId, alg: "ES256", use: "sig" };
  putIssuer(identities, {
    issuer,
    findKey: createLocalJWKSet({ keys: [jwk] } as JSONWebKeySet),
    audiences,
    signingKey: { keyId, privateKey },
  });
}

/** @throws Error where the key set is malformed */
export function addIssuer(
  identities: Identities,
  issuer: string,
  jwks: JSONWebKeySet,
  audiences?: readonly string[],
): void {
  putIssuer(identities, { issuer, findKey: createLocalJWKSet(jwks), audiences, signingKey: undefined });
}

function putIssuer(identities: Identities, issuer: SubjectTokenIssuer): void {
  if (identities.issuers.size >= MAX_IDENTITIES) throw new RangeError("there are too many issuers");
  identities.issuers.set(issuer.issuer, issuer);
}
