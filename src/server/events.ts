/** What happens at a listener beside its calls; for the log and for audit. */
export type ServerEvent = ConnectionRefused | TlsEvent;

/** What becomes of the files of a listener's tls. */
export type TlsEvent = CertificateTaken | CertificateRejected | CertificateEnding;

/** A connection that ended before a call could be refused in words: the client sees no more than TLS can say. */
export interface ConnectionRefused {
  readonly kind: "connection_refused";
  readonly listener: string;
  /** Address and port of the client. */
  readonly peer: string;
  readonly reason: string;
}

/** New files of a listener's tls are in use, for new connections. */
export interface CertificateTaken {
  readonly kind: "certificate_taken";
  readonly listener: string;
  /** Milliseconds since the Unix epoch. */
  readonly notAfterMs: number;
  /** Open connections were made by other CAs: they are asked to end, and come again. */
  readonly clientCaChanged: boolean;
}

/** New files are bad, so the old ones stay in use. Said again while it is so. */
export interface CertificateRejected {
  readonly kind: "certificate_rejected";
  readonly listener: string;
  /** With the file's path. */
  readonly problem: string;
}

/** The certificate in use has little time left, or none, and no new one has come. Said again while it is so. */
export interface CertificateEnding {
  readonly kind: "certificate_ending";
  readonly listener: string;
  readonly notAfterMs: number;
  readonly expired: boolean;
}

export type ReportServerEvent = (event: ServerEvent) => void;

/** A change of a listener's files in one line for the log, and how much it matters. */
export function describeTlsEvent(event: TlsEvent): LogLine {
  const at = (ms: number) => new Date(ms).toISOString();
  switch (event.kind) {
    case "certificate_taken": {
      const others = event.clientCaChanged
        ? "; open connections are asked to end, since the CAs of clients changed"
        : "";
      return { level: "info", message: `new tls files are in use, valid until ${at(event.notAfterMs)}${others}` };
    }
    case "certificate_rejected":
      return { level: "error", message: `new tls files not taken, the old ones stay: ${event.problem}` };
    case "certificate_ending":
      return event.expired
        ? { level: "error", message: `the tls certificate has expired at ${at(event.notAfterMs)}: clients refuse it` }
        : { level: "warn", message: `the tls certificate expires at ${at(event.notAfterMs)} and was not renewed yet` };
  }
}

interface LogLine {
  readonly level: "error" | "warn" | "info";
  readonly message: string;
}
