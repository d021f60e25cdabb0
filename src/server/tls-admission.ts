import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { callerAt, type Proof } from "../access/caller.ts";
import { certificateProof } from "../access/certificate.ts";
import type { CallOrigin } from "../backends/backend.ts";
import { isLocalAddress } from "../config/address.ts";
import type { TcpListenerConfig } from "../config/config.ts";
import { KeyServiceError } from "../core/errors.ts";
import type { Admission, Admit } from "./connections.ts";

/**
 * Whoever comes by TLS, by the certificate that it shows. A bad one does not end the handshake: TLS 1.3 could then tell
 * the client nothing but "bad certificate", and often not even that. Each call is refused instead, in words.
 */
export function createTlsAdmit(config: TcpListenerConfig, address: string): Admit<TLSSocket> {
  const unknown: CallOrigin = {
    caller: callerAt(address, config.caller),
    listenerIsLocal: isLocalAddress(config),
  };
  const { clientCertificate = "none" } = config.tls ?? {};
  return (socket) => {
    if (clientCertificate === "none") return { origin: unknown };
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      return { origin: clientCertificate === "optional" ? unknown : { ...unknown, refusal: noCertificate() } };
    }
    if (socket.authorized) return admitHolder(unknown, certificate);
    // Node's type says Error; what a server gets is OpenSSL's code.
    return { origin: { ...unknown, refusal: refuseCertificate(certificate, String(socket.authorizationError)) } };
  };
}

function admitHolder(unknown: CallOrigin, certificate: X509Certificate): Admission {
  const proof = tryProof(certificate);
  if (proof === undefined) return { origin: { ...unknown, refusal: badCertificate("has a key that is not known") } };
  const caller = { ...unknown.caller, proofs: [...unknown.caller.proofs, proof] };
  return { origin: { ...unknown, caller }, validUntilMs: certificate.validToDate.getTime() };
}

function tryProof(certificate: X509Certificate): Proof | undefined {
  try {
    return certificateProof(certificate);
  } catch {
    return undefined;
  }
}

function noCertificate(): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", {
    problem: "this listener asks for a client certificate, and none was shown",
    remedy: "connect with a certificate and key that its CA has issued",
  });
}

function badCertificate(problem: string, remedy = "use another certificate"): KeyServiceError {
  return new KeyServiceError("caller_unauthenticated", { problem: `the client certificate ${problem}`, remedy });
}

/** OpenSSL's X509_V_ERR_… as Node names them. */
function refuseCertificate(certificate: X509Certificate, code: string): KeyServiceError {
  switch (code) {
    case "CERT_HAS_EXPIRED": {
      const at = certificate.validToDate;
      if (at.getTime() > Date.now())
        return badCertificate("is of a CA whose certificate has expired", "renew the CA's");
      return badCertificate(`expired at ${at.toISOString()}`, "renew it and connect again");
    }
    case "CERT_NOT_YET_VALID":
      return badCertificate(
        `is not valid before ${certificate.validFromDate.toISOString()}`,
        "check the clocks of both machines",
      );
    case "INVALID_PURPOSE":
      return badCertificate("is not meant for clients", "use one whose extended key usage has clientAuth");
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "CERT_SIGNATURE_FAILURE":
      return badCertificate(
        `was not issued by a CA of this listener, but by ${certificate.issuer.replaceAll("\n", ", ")}`,
        "use one of a CA in clientCa of the listener, along with the certificates between the two",
      );
    default:
      return badCertificate(`cannot be verified (${code})`);
  }
}
