import { X509Certificate } from "node:crypto";
import { describeReadError } from "../config/load.ts";
import { FileRefusedError, readBoundedFile } from "../core/bounded-file.ts";

/** A file of certificates or keys that can't be used; its message begins with the file's path. */
export class PemError extends Error {
  override readonly name = "PemError";
}

/** The CAs of the whole web are 220 KB. */
const MAX_PEM_BYTES = 1_048_576;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @throws PemError */
export async function readPem(path: string): Promise<string> {
  try {
    return (await readBoundedFile(path, MAX_PEM_BYTES)).bytes.toString("latin1");
  } catch (thrown) {
    if (thrown instanceof FileRefusedError) throw new PemError(`${path}: ${thrown.message}`, { cause: thrown });
    throw new PemError(`${path}: cannot be read: ${describeReadError(thrown)}`, { cause: thrown });
  }
}

/** All certificates of a PEM file, in its order; at least one. @throws PemError */
export function parseCertificates(pem: string, path: string): readonly [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...rest] = (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
    if (first !== undefined) return [first, ...rest];
  } catch (thrown) {
    throw new PemError(`${path}: holds a certificate that cannot be read`, { cause: thrown });
  }
  throw new PemError(`${path}: holds no certificate in PEM`);
}
