import { styleText } from "node:util";
import type {
  ExplainedApproval,
  ExplainedLimit,
  ExplainedSource,
  ExplainedStep,
  Explanation,
} from "../access/explanation.ts";
import { renderDuration } from "../config/duration.ts";
import { toPrintableLine } from "../core/errors.ts";

const LABEL_WIDTH = 14;

/** An explanation for people. @param stream decides on colour: only on a terminal, and not with NO_COLOR */
export function renderExplanation(explanation: Explanation, stream: NodeJS.WriteStream): string {
  const isAllowed = explanation.decision === "allowed";
  const decision = styleText(isAllowed ? "green" : "red", explanation.decision, { stream });
  const rows: readonly (readonly [string, string | null])[] = [
    ["decision", explanation.code === null ? decision : `${decision} (${explanation.code})`],
    ["why", explanation.reason],
    ["to do", explanation.remedy],
    ["key", explanation.key],
    ["operation", explanation.operation],
    ["caller", `${explanation.caller ?? "without a name"}, by ${explanation.listener}`],
    ["rule", explanation.rule],
    ["match", explanation.match],
    ...explanation.tokenSources.map(renderSource),
    ["cloud kms", renderKms(explanation)],
    ["quota project", explanation.quotaProject],
    ["cache", renderCache(explanation)],
    ["approval", explanation.approval === null ? null : renderApproval(explanation.approval)],
    ...explanation.limits.map(renderLimit),
    ...explanation.trail.map(renderStep),
    ...explanation.notes.map((note) => ["note", note] as const),
  ];
  return rows.flatMap(([label, value]) => (value === null ? [] : [renderRow(label, value)])).join("\n");
}

// The key, the caller's name and paths come from outside; colour alone may hold control characters.
function renderRow(label: string, value: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${label === "decision" ? value : toPrintableLine(value)}`;
}

function renderSource(source: ExplainedSource, index: number): readonly [string, string] {
  const label = index === 0 ? "token source" : "  else";
  return [label, `${source.name} (${source.type}: ${source.detail})`];
}

function renderKms({ endpoint, kms }: Explanation): string | null {
  if (endpoint === null || kms === null) return null;
  const time = `${renderDuration(kms.deadlineMs)} for a call, ${renderDuration(kms.attemptTimeoutMs)} for an attempt`;
  return `${endpoint} (${kms.transport}, ${time})`;
}

function renderCache({ cacheTtlMs, operation }: Explanation): string | null {
  if (cacheTtlMs === null || operation === "encrypt") return null;
  return `data keys are kept for ${renderDuration(cacheTtlMs)}: so long Cloud KMS is not asked again`;
}

function renderApproval({ by, timeoutMs, rememberMs }: ExplainedApproval): string {
  const good = rememberMs === 0 ? "one call" : renderDuration(rememberMs);
  return `asked of ${by}, within ${renderDuration(timeoutMs)}, good for ${good}`;
}

function renderLimit(limit: ExplainedLimit, index: number): readonly [string, string] {
  const bounds = [
    ...(limit.callsPerSecond === null ? [] : [`${limit.callsPerSecond} calls a second (burst ${limit.burst})`]),
    ...(limit.callsAtOnce === null ? [] : [`${limit.callsAtOnce} calls at once`]),
  ];
  return [index === 0 ? "limits" : "", `${limit.whose}: ${bounds.join(", ")} (${limit.place})`];
}

function renderStep(step: ExplainedStep, index: number): readonly [string, string] {
  const result = step.matched ? "matches" : `${step.mismatch} does not fit ${step.match}`;
  return [index === 0 ? "tried" : "", `${index + 1}. ${step.rule}: ${result}`];
}
