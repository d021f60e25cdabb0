import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Peers } from "../peers/all.ts";
import type { BenchDocument } from "../results.ts";
import { renderPlot } from "./plot.ts";
import { summarise } from "./summary.ts";
import { renderTables } from "./tables.ts";
import { renderTargets } from "./targets.ts";

const DOCS = join(import.meta.dirname, "../../docs");
const BEGIN = "<!-- bench: begin -->";
const END = "<!-- bench: end -->";

/** Replaces what stands between the marks of docs/performance.md, and the plot beside it. */
export function writeDocuments(document: BenchDocument, peers: Peers): void {
  const page = join(DOCS, "performance.md");
  writeFileSync(page, replaceBetweenMarks(readFileSync(page, "utf8"), renderResults(document, peers)));
  writeFileSync(join(DOCS, "performance.svg"), renderPlot(summarise(document), peers));
}

export function replaceBetweenMarks(page: string, text: string): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from === -1 || to < from) throw new Error(`docs/performance.md needs the marks ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n${text}\n${page.slice(to)}`;
}

function renderResults(document: BenchDocument, peers: Peers): string {
  const { machine, command } = document;
  const about = [
    `Measured ${machine.date} with \`${command}\` on ${machine.cores} cores (${machine.cpu}, Linux ${machine.kernel}),`,
    `Node.js ${machine.node}, sops ${machine.sops}; load average when it began ${machine.loadAverage.toFixed(1)}.`,
  ].join("\n");
  return [about, renderTargets(document), renderTables(document, peers)].join("\n\n");
}
