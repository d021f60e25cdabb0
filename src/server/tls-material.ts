import { createHash, createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { TlsConfig } from "../config/tls.ts";
import { describeCause } from "../core/describe-cause.ts";
import { PemError, parseCertificates, readPem } from "./pem.ts";

/** What stands in a listener's files, as it was read. */
export interface TlsFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientCa: string | undefined;
  /** SHA-256 of all three. */
  readonly hash: string;
}

/** A certificate with its key, and the CAs of clients, that were found to be good. */
export interface TlsMaterial extends TlsFiles {
  /** Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** @throws PemError */
export async function readTlsFiles(config: TlsConfig): Promise<TlsFiles> {
  const certificate = await readPem(config.certificate);
  const privateKey = await readPem(config.privateKey);
  const clientCa = config.clientCa === undefined ? undefined : await readPem(config.clientCa);
  const hash = createHash("sha256");
  for (const part of [certificate, privateKey, clientCa ?? ""]) hash.update(`${part.length}:`).update(part);
  return { certificate, privateKey, clientCa, hash: hash.digest("hex") };
}

/**
 * Sees to it that the files can be used before anything is served with them: they parse, the key is the certificate's,
 * and today is within its time.
 *
 * @param nowMs milliseconds since the Unix epoch
 * @throws PemError that names the file
 */
export function validateTls(files: TlsFiles, config: TlsConfig, nowMs: number): TlsMaterial {
  const [leaf] = parseCertificates(files.certificate, config.certificate);
  checkKey(leaf, parseKey(files.privateKey, config.privateKey), config);
  // By their texts: where OpenSSL cannot read a time, Node's own dates are any or none.
  const [notBeforeMs, notAfterMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  checkTime(notBeforeMs, notAfterMs, nowMs, config.certificate);
  if (files.clientCa !== undefined) parseCertificates(files.clientCa, config.clientCa ?? "");
  try {
    createSecureContext({ cert: files.certificate, key: files.privateKey, ca: files.clientCa });
  } catch (thrown) {
    throw new PemError(`${config.certificate}: TLS does not take it (${describeCause(thrown)})`, { cause: thrown });
  }
  return { ...files, notBeforeMs, notAfterMs };
}

function parseKey(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (thrown) {
    const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
    const problem = isEncrypted ? "is encrypted, and nobody is asked for a passphrase" : "holds no private key in PEM";
    // Not its cause: messages of parsers quote what they read.
    throw new PemError(`${path}: ${problem}`, { cause: thrown });
  }
}

function checkKey(leaf: X509Certificate, key: KeyObject, config: TlsConfig): void {
  if (leaf.checkPrivateKey(key)) return;
  throw new PemError(`${config.privateKey}: is not the key of the first certificate in ${config.certificate}`);
}

function checkTime(notBeforeMs: number, notAfterMs: number, nowMs: number, path: string): void {
  if (Number.isNaN(notBeforeMs + notAfterMs))
    throw new PemError(`${path}: does not say from when until when it is valid`);
  if (nowMs < notBeforeMs) {
    throw new PemError(
      `${path}: is not valid before ${new Date(notBeforeMs).toISOString()}; check this machine's clock`,
    );
  }
  if (nowMs >= notAfterMs) throw new PemError(`${path}: expired at ${new Date(notAfterMs).toISOString()}; renew it`);
}
