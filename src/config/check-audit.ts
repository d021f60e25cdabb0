import type { PartialShape } from "./document.ts";
import { error, type Judgement, warning } from "./judgement.ts";

export function* checkAudit({ audit }: PartialShape): Generator<Judgement> {
  if (audit === undefined) return;
  if (audit.file === undefined && !audit.stdout) {
    yield error(["audit"], "names no place for the records; give it a file, or set stdout", "key");
  }
  if (audit.file === undefined && audit.stdout && audit.signingKey === undefined) {
    yield error(["audit", "signingKey"], "is missing, and there is no file that it could lie beside");
  }
  if (audit.syslog?.caFile !== undefined && !audit.syslog.address.startsWith("tls://")) {
    yield error(["audit", "syslog", "caFile"], "is for a tls:// address alone; take it out, or use tls", "key");
  }
  if (audit.otlp !== undefined && new URL(audit.otlp.endpoint).pathname === "/") {
    yield warning(
      ["audit", "otlp", "endpoint"],
      "has no path, and is used as it stands; collectors take logs at /v1/logs",
    );
  }
}
