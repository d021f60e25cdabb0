import { X509Certificate } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { describeReadError } from "../config/load.ts";

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
    // Asked before it is opened: to open a pipe that nobody writes to would wait for ever.
    if (!(await stat(path)).isFile()) throw new PemError(`${path}: is not a regular file`);
    await using file = await open(path, "r");
    const buffer = Buffer.alloc(MAX_PEM_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead > MAX_PEM_BYTES) throw new PemError(`${path}: is larger than ${MAX_PEM_BYTES} bytes`);
    return buffer.toString("latin1", 0, bytesRead);
  } catch (thrown) {
    if (thrown instanceof PemError) throw thrown;
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
