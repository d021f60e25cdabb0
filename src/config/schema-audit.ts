import * as z from "zod";
import { type AuditShape, parseSyslogAddress, SYSLOG_FACILITIES } from "./audit.ts";
import { countField, durationField, endpointField, flagField, parsed, pathField, section } from "./schema-fields.ts";
import { parseSize, renderSize, SIZE_PATTERN } from "./size.ts";

/** A size between two others; becomes bytes. */
function sizeField(minimum: number, maximum: number): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  const error = `expected a size from ${renderSize(minimum)} to ${renderSize(maximum)}, such as 512KiB, 64MiB or 1GiB`;
  const isWithin = (bytes = -1) => bytes >= minimum && bytes <= maximum;
  return z
    .string({ error })
    .regex(SIZE_PATTERN, { error, abort: true })
    .refine((value) => isWithin(parseSize(value)), { error })
    .transform((value) => parseSize(value) ?? minimum);
}

const rotate = section({
  size: sizeField(1024 ** 2, 1024 ** 4)
    .prefault("64MiB")
    .meta({ description: "A file that has reached this is closed, and the next begun." }),
  keep: countField(1, 100_000).prefault(20).meta({ description: "How many closed files are kept." }),
});

const checkpoint = section({
  records: countField(1, 1_000_000)
    .prefault(1000)
    .meta({ description: "So many records after the last signature comes the next." }),
  interval: durationField(100, 3_600_000)
    .prefault("10s")
    .meta({ description: "So long after the last signature comes the next, where there is anything to sign." }),
});

const syslog = section({
  address: parsed("the address of a syslog server", (value) => {
    const address = parseSyslogAddress(value);
    return typeof address === "string" ? address : undefined;
  }).meta({ description: "unix:///PATH (a stream socket), udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT." }),
  facility: z
    .enum(SYSLOG_FACILITIES, { error: `expected one of ${SYSLOG_FACILITIES.join(", ")}` })
    .prefault("authpriv")
    .meta({ description: "Facility of the messages." }),
  caFile: pathField().optional().meta({ description: "PEM file with the CAs that may vouch for a tls server." }),
});

const otlp = section({
  endpoint: endpointField().meta({ description: "URL that logs are posted to, such as https://HOST:4318/v1/logs." }),
});

export const auditSchema: z.ZodType<AuditShape> = section({
  file: pathField().optional().meta({ description: "The audit log: hash-chained JSON lines." }),
  required: flagField().prefault(false).meta({ description: "Answer no call whose records cannot be written." }),
  timeout: durationField(10, 60_000)
    .prefault("2s")
    .meta({ description: "How long a call waits for its record, where that is required." }),
  rotate: rotate.prefault({}).meta({ description: "When a file is closed, and how many are kept." }),
  checkpoint: checkpoint.prefault({}).meta({ description: "How often the chain is signed." }),
  signingKey: pathField().optional().meta({
    description: "Ed25519 private key in PEM; made where it is missing. Default: the file's path and `.key`.",
  }),
  stdout: flagField().prefault(false).meta({ description: "Write the records to standard output as well." }),
  syslog: syslog.optional().meta({ description: "Send the records to a syslog server as well (RFC 5424)." }),
  otlp: otlp.optional().meta({ description: "Send the records to an OpenTelemetry collector as well." }),
}).meta({ description: "Where decisions and outcomes are recorded.", minProperties: 1 });
