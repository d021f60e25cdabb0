import { styleText } from "node:util";
import type { RecordFields } from "../audit/filter.ts";
import { toPrintableLine } from "../core/errors.ts";

/** Where colours are shown or not; `styleText` asks it. */
export type Terminal = NodeJS.WritableStream;

/** Told elsewhere in the line, or of no use to a person. */
const QUIET_FIELDS = new Set([
  "seq",
  "prev",
  "hash",
  "time",
  "event",
  "operation",
  "caller",
  "key",
  "outcome",
  "decision",
]);

/** A record in one line for a person: when, what, who, which key, and the rest as `name=value`. */
export function renderRecord(fields: RecordFields, terminal: Terminal): string {
  const rest = Object.entries(fields)
    .filter(([name]) => !QUIET_FIELDS.has(name))
    .map(([name, value]) => `${styleText("gray", `${asText(name)}=`, { stream: terminal })}${asText(value)}`);
  return [asText(fields["time"]), renderEvent(fields, terminal), ...renderSubject(fields), ...rest].join(" ");
}

function renderEvent({ event, outcome, decision, operation }: RecordFields, terminal: Terminal): string {
  const result = outcome ?? decision;
  if (result === undefined) return styleText("cyan", asText(event), { stream: terminal });
  const isGood = result === "ok" || result === "allowed";
  return `${asText(operation)} ${styleText(isGood ? "green" : "red", asText(result), { stream: terminal })}`;
}

function renderSubject({ caller, key }: RecordFields): readonly string[] {
  return [...(caller === undefined ? [] : [nameOf(caller)]), ...(key === undefined ? [] : [asText(key)])];
}

function nameOf(caller: unknown): string {
  if (typeof caller !== "object" || caller === null) return asText(caller);
  const { names, listener } = caller as RecordFields;
  return Array.isArray(names) && names.length > 0 ? names.map(asText).join(",") : `(${asText(listener)})`;
}

function asText(value: unknown): string {
  return toPrintableLine(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}
