import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { fileError } from "../config/issue.ts";
import { describeReadError } from "../config/load.ts";

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Gives the certificates that are trusted where a config names a CA file, in PEM form; undefined, which stands for Node's
 * own, where it names none. Each file is read once, and its list is one object, so that what is made of it is made once.
 *
 * @throws ConfigError where the file cannot be read or holds no certificate
 */
export function createTrustReader(): (caFile: string | undefined, key: string) => readonly string[] | undefined {
  const known = new Map<string, readonly string[]>();
  return (caFile, key) => {
    if (caFile === undefined) return undefined;
    // Naming CAs replaces the default ones, so those are named as well.
    const ca = known.get(caFile) ?? [...getCACertificates("default"), ...readCertificates(caFile, key)];
    known.set(caFile, ca);
    return ca;
  };
}

function readCertificates(caFile: string, key: string): readonly string[] {
  const found = readText(caFile, key).match(PEM_CERTIFICATE) ?? [];
  if (found.length === 0) throw fileError(caFile, `${key} names it, but it holds no certificate in PEM form`);
  for (const [index, pem] of found.entries()) {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw fileError(caFile, `${key} names it, but its certificate ${index + 1} is damaged`, cause);
    }
  }
  return found;
}

function readText(caFile: string, key: string): string {
  try {
    return readFileSync(caFile, "utf8");
  } catch (thrown) {
    throw fileError(caFile, `${key} names it, but it cannot be read: ${describeReadError(thrown)}`, thrown);
  }
}
