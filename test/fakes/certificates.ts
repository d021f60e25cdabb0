import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its key, both PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly privateKey: string;
  readonly key: KeyObject;
  readonly name: string;
}

export interface CertificateRequest {
  readonly name: string;
  /** Itself where left out. */
  readonly issuer?: TestCertificate;
  readonly authority?: boolean;
  /** For servers; an IPv4 address or a host name. */
  readonly address?: string;
  /** Further names, in bytes of Latin-1: also such as no CA would sign. */
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** What it is good for, as `SERVER_PURPOSE`; anything where left out. */
  readonly purposes?: readonly Buffer[];
}

const DAY_MS = 86_400_000;
const ECDSA_SHA256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const ALTERNATIVE_NAMES = oid(0x55, 0x1d, 0x11);
const EXTENDED_KEY_USAGE = oid(0x55, 0x1d, 0x25);
/** id-kp-serverAuth. */
export const SERVER_PURPOSE: Buffer = oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01);

/** An X.509 certificate (RFC 5280) with a new P-256 key: Node.js can read them and not make them. */
export function createCertificate(request: CertificateRequest): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { issuer = { name: request.name, key: privateKey }, notAfter = new Date(Date.now() + DAY_MS) } = request;
  const { notBefore = new Date(Math.min(Date.now(), notAfter.getTime()) - DAY_MS) } = request;
  const algorithm = sequence(ECDSA_SHA256);
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(request.name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(request))),
  );
  const signature = sign("sha256", body, issuer.key);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    key: privateKey,
    name: request.name,
  };
}

function extensions(request: CertificateRequest): Buffer[] {
  const { authority = false, purposes = [] } = request;
  const constraints = sequence(...(authority ? [der(0x01, Buffer.of(0xff))] : []));
  const names = alternativeNames(request);
  return [
    sequence(BASIC_CONSTRAINTS, der(0x01, Buffer.of(0xff)), der(0x04, constraints)),
    ...(names.length === 0 ? [] : [sequence(ALTERNATIVE_NAMES, der(0x04, sequence(...names)))]),
    ...(purposes.length === 0 ? [] : [sequence(EXTENDED_KEY_USAGE, der(0x04, sequence(...purposes)))]),
  ];
}

function alternativeNames({ address = "", dnsNames = [], uris = [] }: CertificateRequest): Buffer[] {
  const hosts = isIPv4(address) || address === "" ? dnsNames : [address, ...dnsNames];
  return [
    ...hosts.map((name) => der(0x82, Buffer.from(name, "latin1"))),
    ...uris.map((uri) => der(0x86, Buffer.from(uri, "latin1"))),
    ...(isIPv4(address) ? [der(0x87, Buffer.from(address.split(".").map(Number)))] : []),
  ];
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))));
}

function time(at: Date): Buffer {
  return der(0x18, Buffer.from(at.toISOString().replace(/[-:T]|\.\d+/g, "")));
}

function oid(...bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}
