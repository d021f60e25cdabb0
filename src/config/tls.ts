/** A listener's `tls` as it stands in the file. */
export interface TlsShape {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientCa?: string | undefined;
  readonly clientCertificate?: "required" | "optional" | undefined;
}

/** TLS 1.3 on a listener. The files are read again when they change. */
export interface TlsConfig {
  /** PEM, absolute path: the server's certificate and those between it and its CA. */
  readonly certificate: string;
  /** PEM, absolute path. */
  readonly privateKey: string;
  /** PEM, absolute path: the CAs that client certificates must be of. */
  readonly clientCa: string | undefined;
  /** `none`: clients are not asked for a certificate. One that is shown must be good, also where none is required. */
  readonly clientCertificate: "required" | "optional" | "none";
}
