import type { TlsConfig, TlsShape } from "./tls.ts";

/** @param absolute makes a path absolute that is relative to the config file */
export function resolveTls(tls: TlsShape, absolute: (path: string) => string): TlsConfig {
  const { clientCa, clientCertificate = "required" } = tls;
  return {
    certificate: absolute(tls.certificate),
    privateKey: absolute(tls.privateKey),
    clientCa: clientCa === undefined ? undefined : absolute(clientCa),
    clientCertificate: clientCa === undefined ? "none" : clientCertificate,
  };
}
