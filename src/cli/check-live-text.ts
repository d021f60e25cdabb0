import { styleText } from "node:util";
import { toPrintableLine } from "../core/errors.ts";
import type { LiveReport, LiveRoundTrip, LiveSource } from "./check-live.ts";
import { type FailureFacts, renderSeconds } from "./live-token.ts";

const COLOURS = { ok: "green", passed_over: "yellow", failed: "red" } as const;
const WORDS = { ok: "ok", passed_over: "passed over", failed: "failed" } as const;

/** A report for people. @param stream decides on colour */
export function renderLive({ sources, roundTrip }: LiveReport, stream: NodeJS.WriteStream): string {
  const blocks = sources.map((source) => renderSource(source, stream));
  if (roundTrip !== undefined) blocks.push(renderRoundTrip(roundTrip, stream));
  return blocks.join("\n");
}

function renderSource(live: LiveSource, stream: NodeJS.WriteStream): string {
  const head = `token source ${live.source}: ${renderStatus(live.status, stream)}`;
  if (live.status !== "ok") return [head, ...renderFailure(live.error)].join("\n");
  const until = `until ${live.expiresAt} (in ${renderSeconds(live.expiresInSeconds)})`;
  const who = live.principal ?? "nobody that can be told: the token is opaque";
  return [head, ...indent([`for ${who}`, until, ...live.steps.map((step, index) => `${index + 1}. ${step}`)])].join(
    "\n",
  );
}

function renderRoundTrip(trip: LiveRoundTrip, stream: NodeJS.WriteStream): string {
  const head = `round trip ${toPrintableLine(trip.key)}: ${renderStatus(trip.ok ? "ok" : "failed", stream)}`;
  if (!trip.ok) return [head, ...renderFailure(trip.error)].join("\n");
  return [
    head,
    ...indent([`rule ${trip.rule}, as ${trip.principal ?? "an opaque token"}`, `by ${trip.keyVersion}`]),
  ].join("\n");
}

function renderStatus(status: LiveSource["status"], stream: NodeJS.WriteStream): string {
  return styleText(COLOURS[status], WORDS[status], { stream });
}

function renderFailure({ problem, remedy, principal }: FailureFacts): readonly string[] {
  return indent([
    problem,
    ...(principal === null ? [] : [`as: ${principal}`]),
    ...(remedy === null ? [] : [`to do: ${remedy}`]),
  ]);
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${toPrintableLine(line)}`);
}
