import type { SyslogFacility } from "../config/audit.ts";

/** https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 */
const FACILITY_CODES: Readonly<Record<SyslogFacility, number>> = {
  user: 1,
  daemon: 3,
  auth: 4,
  authpriv: 10,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
};

const WARNING = 4;
const INFORMATIONAL = 6;

export interface SyslogSender {
  readonly facility: SyslogFacility;
  readonly hostname: string;
  readonly pid: number;
}

/** A line of the log as an RFC 5424 message; its text is the whole record, hash and all. */
export function toSyslogMessage(line: string, { facility, hostname, pid }: SyslogSender): Buffer {
  const priority = FACILITY_CODES[facility] * 8 + severityOf(line);
  const time = /"time":"([0-9TZ:.+-]{20,35})"/.exec(line)?.[1] ?? "-";
  return Buffer.from(`<${priority}>1 ${time} ${toHeaderField(hostname)} sops-keyd ${pid} audit - ${line}`);
}

function severityOf(line: string): number {
  return /"decision":"refused"|"outcome":"(?!ok")|"event":"(?:lost|file_changed|connection_refused|config_refused)"/.test(
    line,
  )
    ? WARNING
    : INFORMATIONAL;
}

/** PRINTUSASCII, at most 255; a nil value where there is nothing of it. */
function toHeaderField(text: string): string {
  return text.replace(/[^!-~]/g, "").slice(0, 255) || "-";
}

/** Octet counting, for streams: RFC 6587 section 3.4.1, RFC 5425 section 4.3. */
export function toFrame(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
