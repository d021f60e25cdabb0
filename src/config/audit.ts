import { isIPv6 } from "node:net";
import { withoutBrackets } from "../core/host.ts";
import { parseListenAddress } from "./address.ts";

/** The `audit` section as it stands in the file. */
export interface AuditShape {
  readonly file?: string | undefined;
  readonly required: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly rotate: {
    /** Bytes. */
    readonly size: number;
    readonly keep: number;
  };
  readonly checkpoint: {
    readonly records: number;
    /** Milliseconds. */
    readonly interval: number;
  };
  readonly signingKey?: string | undefined;
  readonly stdout: boolean;
  readonly syslog?: SyslogShape | undefined;
  readonly otlp?: OtlpShape | undefined;
}

export interface SyslogShape {
  readonly address: string;
  readonly facility: SyslogFacility;
  readonly caFile?: string | undefined;
}

export interface OtlpShape {
  readonly endpoint: string;
}

/** Where decisions and outcomes are recorded. */
export interface AuditConfig {
  /** Absolute; undefined where the chain goes to stdout alone. */
  readonly file: string | undefined;
  /** A call that cannot be recorded is not answered. */
  readonly required: boolean;
  /** How long a call waits for its record. */
  readonly timeoutMs: number;
  readonly rotate: { readonly sizeBytes: number; readonly keep: number };
  readonly checkpoint: { readonly records: number; readonly intervalMs: number };
  /** Absolute. */
  readonly signingKey: string;
  readonly stdout: boolean;
  readonly syslog: SyslogConfig | undefined;
  readonly otlp: { readonly endpoint: string } | undefined;
}

export interface SyslogConfig {
  readonly address: SyslogAddress;
  readonly facility: SyslogFacility;
  /** Absolute; Node.js' own CAs where undefined. */
  readonly caFile: string | undefined;
}

export const SYSLOG_FACILITIES = [
  "auth",
  "authpriv",
  "daemon",
  "user",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

export type SyslogFacility = (typeof SYSLOG_FACILITIES)[number];

/** Where a syslog server listens. */
export type SyslogAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "udp"; readonly host: string; readonly port: number }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "tls"; readonly host: string; readonly port: number };

const DEFAULT_PORTS = { udp: 514, tcp: 601, tls: 6514 } as const;
const EXPECTED_ADDRESS = "expected unix:///PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT";

/** The address, or in words what was expected. */
export function parseSyslogAddress(text: string): SyslogAddress | string {
  return text.startsWith("unix://") ? parseUnix(text) : parseRemote(text);
}

function parseUnix(text: string): SyslogAddress | string {
  const address = parseListenAddress(text);
  return typeof address === "string" || address.kind === "unix" ? address : EXPECTED_ADDRESS;
}

function parseRemote(text: string): SyslogAddress | string {
  const [, kind, name = "", digits] =
    /^(udp|tcp|tls):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (kind !== "udp" && kind !== "tcp" && kind !== "tls") return EXPECTED_ADDRESS;
  const host = withoutBrackets(name);
  if (name.startsWith("[") && !isIPv6(host)) return "expected an IPv6 address in the brackets";
  const port = digits === undefined ? DEFAULT_PORTS[kind] : Number(digits);
  return port >= 1 && port <= 65_535 ? { kind, host, port } : "expected a port from 1 to 65535";
}

/** The section with every path absolute. */
export function resolveAudit(shape: AuditShape, absolute: (path: string) => string): AuditConfig {
  const { syslog, otlp } = shape;
  const file = shape.file === undefined ? undefined : absolute(shape.file);
  return {
    file,
    required: shape.required,
    timeoutMs: shape.timeout,
    rotate: { sizeBytes: shape.rotate.size, keep: shape.rotate.keep },
    checkpoint: { records: shape.checkpoint.records, intervalMs: shape.checkpoint.interval },
    signingKey: resolveSigningKey(shape, file, absolute),
    stdout: shape.stdout,
    syslog: syslog === undefined ? undefined : resolveSyslog(syslog, absolute),
    otlp: otlp === undefined ? undefined : { endpoint: otlp.endpoint },
  };
}

function resolveSigningKey(
  { signingKey }: AuditShape,
  file: string | undefined,
  absolute: (path: string) => string,
): string {
  if (signingKey !== undefined) return absolute(signingKey);
  if (file !== undefined) return `${file}.key`;
  throw new TypeError("an audit section passed the checks without a signing key");
}

function resolveSyslog({ address, facility, caFile }: SyslogShape, absolute: (path: string) => string): SyslogConfig {
  const parsed = parseSyslogAddress(address);
  if (typeof parsed === "string") throw new TypeError("a syslog address passed the checks without being valid");
  return { address: parsed, facility, caFile: caFile === undefined ? undefined : absolute(caFile) };
}
