import { SeverityNumber } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from "@opentelemetry/sdk-logs";
import type { Clock } from "../core/clock.ts";
import { atMost } from "../core/deadline.ts";
import { parseFields } from "./chain.ts";
import { CLOSE_TIMEOUT_MS, type Sink } from "./sink.ts";
import { createTrouble, type Trouble } from "./trouble.ts";

const MAX_QUEUED = 10_000;
const BATCH = 512;
const DELAY_MS = 1_000;
const TIMEOUT_MS = 10_000;

export interface OtlpSinkOptions {
  /** URL that logs are posted to. Headers, for a token, come from `OTEL_EXPORTER_OTLP_LOGS_HEADERS`, as the library reads it. */
  readonly endpoint: string;
  readonly version: string;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

/** Sends records as OpenTelemetry logs, OTLP over HTTP: the body is the line, its main fields are attributes. */
export function createOtlpSink({ endpoint, version, clock, warn }: OtlpSinkOptions): Sink {
  const name = `OTLP ${endpoint}`;
  const trouble = createTrouble(name, clock, warn);
  const exporter = new OTLPLogExporter({ url: endpoint, timeoutMillis: TIMEOUT_MS, concurrencyLimit: 4 });
  const processor = new BatchLogRecordProcessor({
    exporter: watched(exporter, trouble),
    maxQueueSize: MAX_QUEUED,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: DELAY_MS,
    exportTimeoutMillis: TIMEOUT_MS,
  });
  const resource = resourceFromAttributes({ "service.name": "sops-keyd", "service.version": version });
  const provider = new LoggerProvider({ resource, processors: [processor] });
  const logger = provider.getLogger("sops-keyd.audit", version);
  return {
    name,
    publish(lines) {
      for (const line of lines) logger.emit(toLogRecord(line));
    },
    close: () => atMost(clock, CLOSE_TIMEOUT_MS, provider.shutdown()),
  };
}

/** The library itself says nothing of what it could not send. */
function watched(exporter: LogRecordExporter, trouble: Trouble): LogRecordExporter {
  return {
    export(records, done) {
      exporter.export(records, (result) => {
        if (result.code === 0) trouble.over();
        else trouble.tell("the collector does not take them", records.length);
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

const ATTRIBUTES = [
  "event",
  "request",
  "operation",
  "key",
  "rule",
  "source",
  "principal",
  "outcome",
  "decision",
] as const;

function toLogRecord(line: string) {
  const fields = parseFields(Buffer.from(line)) ?? {};
  const isBad = fields["decision"] === "refused" || (fields["outcome"] !== undefined && fields["outcome"] !== "ok");
  const attributes: Record<string, string> = {};
  for (const attribute of ATTRIBUTES) {
    const value = fields[attribute];
    if (typeof value === "string") attributes[`sops_keyd.${attribute}`] = value;
  }
  return {
    timestamp: new Date(String(fields["time"])),
    severityNumber: isBad ? SeverityNumber.WARN : SeverityNumber.INFO,
    severityText: isBad ? "WARN" : "INFO",
    body: line,
    attributes,
  };
}
