import { createHash, type X509Certificate } from "node:crypto";
import { isSpiffeId } from "../config/spiffe-id.ts";
import { parseAlternativeNames } from "./alternative-names.ts";
import type { CertificateProof } from "./caller.ts";

/**
 * What a certificate says of its holder. It proves that only if TLS has verified it.
 *
 * @throws Error where its key is of a kind that OpenSSL does not know
 */
export function certificateProof(certificate: X509Certificate): CertificateProof {
  const { uris, dnsNames } = parseAlternativeNames(certificate.subjectAltName ?? "");
  const [uri = "", ...others] = uris;
  // X.509-SVID: exactly one URI, and a workload's certificate is no CA's.
  const isSvid = others.length === 0 && isSpiffeId(uri) && !certificate.ca;
  const publicKey = certificate.publicKey.export({ type: "spki", format: "der" });
  return {
    kind: "certificate",
    spiffeId: isSvid ? uri : undefined,
    ...(isSvid || uris.length === 0 ? {} : { rejectedUris: uris }),
    dnsNames,
    publicKeySha256: createHash("sha256").update(publicKey).digest("base64"),
  };
}
