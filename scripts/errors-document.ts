import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One way in which a token source fails, as the source code has it; `…` stands for what only a run knows. */
export interface ErrorText {
  /** File below `src/credentials`, without its ending. */
  readonly file: string;
  /** Empty where the code is decided by what the endpoint answered. */
  readonly code: string;
  readonly problems: readonly string[];
  readonly remedies: readonly string[];
}

const TOKEN = /\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|[(){}[\],;]/g;
const LITERAL = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
const DEPTH_CHANGE: Readonly<Record<string, number>> = { "(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1 };
const SEPARATORS = [",", ";"];
/** Shorter texts are codes and fields, not words for a reader. */
const MIN_WORDS = 3;

/** @param root the checkout */
export function findErrorTexts(root: string): readonly ErrorText[] {
  const folder = join(root, "src", "credentials");
  return globSync("**/*.ts", { cwd: folder })
    .toSorted()
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const name = file.replace(/\.ts$/, "");
      return [...findThrown(name, text), ...findRefusalRemedies(name, text)];
    });
}

function findThrown(file: string, text: string): readonly ErrorText[] {
  return [...text.matchAll(/new KeyServiceError\(/g)].flatMap(({ index, 0: start }) => {
    const [code = "", detail = ""] = splitList(text, index + start.length);
    const fields = splitList(detail, detail.indexOf("{") + 1);
    const problems = fields.filter((field) => /^problem\b/.test(field)).flatMap(literalsOf);
    const remedies = fields.filter((field) => /^remedy\b/.test(field)).flatMap(literalsOf);
    if (remedies.length === 0) return [];
    return [{ file, code: /"([a-z_]+)"/.exec(code)?.[1] ?? "", problems, remedies }];
  });
}

/** What is advised when an endpoint refuses: each kind's `remedyFor`, and the general ones. */
function findRefusalRemedies(file: string, text: string): readonly ErrorText[] {
  const starts = text.matchAll(
    /(?<![.\w])(?:function )?remedyFor(?::| =)? ?\([^)]*\)[^{;=]*(?:=>|\{)|GENERAL_REMEDIES: [^=]+= \{/g,
  );
  return [...starts].flatMap(({ index, 0: start }) => {
    const from = index + start.length;
    const parts = start.endsWith("{") ? splitList(text, from) : splitList(text, from).slice(0, 1);
    const remedies = parts.flatMap((part) => literalsOf(part.replaceAll(/===? "[^"]*"/g, "")));
    return remedies.length === 0 ? [] : [{ file, code: "", problems: [], remedies }];
  });
}

/** The items, by comma or semicolon, of the list that begins at `from`, up to the bracket that ends it. */
function splitList(text: string, from: number): readonly string[] {
  const items: string[] = [];
  let depth = 0;
  let itemStart = from;
  for (const { index, 0: token } of text.slice(from).matchAll(TOKEN)) {
    depth += DEPTH_CHANGE[token] ?? 0;
    if (depth > 0 || (depth === 0 && !SEPARATORS.includes(token))) continue;
    items.push(text.slice(itemStart, from + index).trim());
    itemStart = from + index + 1;
    if (depth < 0) break;
  }
  return items;
}

function literalsOf(expression: string): readonly string[] {
  return [...expression.matchAll(LITERAL)]
    .map(([literal]) =>
      literal
        .slice(1, -1)
        .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…")
        .replaceAll('\\"', '"'),
    )
    .filter((text) => text.split(" ").length >= MIN_WORDS);
}

const BEGIN = "<!-- begin: written by scripts/generate-errors-doc.ts -->";
const END = "<!-- end -->";

/** `document` with its table of texts written anew. */
export function renderErrorsDocument(document: string, root: string): string {
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/errors.md has no ${BEGIN} … ${END}`);
  const rows = findErrorTexts(root).map(({ file, code, problems, remedies }) =>
    [`\`${file}\``, code === "" ? "as answered" : `\`${code}\``, cell(problems), cell(remedies)].join(" | "),
  );
  const table = ["| in | code | what it says | to do |", "|---|---|---|---|", ...rows.map((row) => `| ${row} |`)];
  return `${before}${BEGIN}\n${table.join("\n")}\n${END}${after}`;
}

function cell(texts: readonly string[]): string {
  return texts.length === 0 ? "…" : [...new Set(texts)].map((text) => text.replaceAll("|", "\\|")).join("<br>");
}
