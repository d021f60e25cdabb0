import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A fault that has a test, as the tests under `test/faults` name it. */
export interface TestedFault {
  readonly fault: string;
  readonly promise: string;
  /** What a user sees while it lasts. */
  readonly sees: string;
}

/** The faults of one file of tests. */
export interface FaultGroup {
  readonly file: string;
  /** The first comment of the file. */
  readonly about: string;
  readonly faults: readonly TestedFault[];
}

const BEGIN = "<!-- faults: begin -->";
const END = "<!-- faults: end -->";
const SERVED = "nothing: the right answer";

/** @param root the checkout */
export function findFaults(root: string): readonly FaultGroup[] {
  const folder = join(root, "test", "faults");
  return globSync("*.test.ts", { cwd: folder })
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const about = /^\/\*\* (.*) \*\/$/m.exec(text)?.[1] ?? "";
      return {
        file,
        about,
        faults: text
          .split(/(?=\bfault: ")/)
          .slice(1)
          .map(readFault),
      };
    });
}

/** @param block the text from one fault's name to that of the next */
function readFault(block: string): TestedFault {
  const read = (name: string) => new RegExp(`\\b${name}:\\s*"((?:[^"\\\\]|\\\\.)*)"`).exec(block)?.[1];
  const statuses = [...new Set([...block.matchAll(/\bstatus: "([A-Z_]+)"/g)].map(([, status = ""]) => status))];
  const expected = /\bexpect: "served"/.test(block) ? SERVED : statuses.join(" or ");
  return { fault: read("fault") ?? "", promise: read("promise") ?? "", sees: read("sees") ?? expected };
}

/** The document with its tables made anew from the tests. @throws Error where its marks are missing */
export function renderFaultsDocument(document: string, root: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from === -1 || to < from) throw new Error(`docs/faults.md needs the marks ${BEGIN} and ${END}`);
  const tables = findFaults(root).map(renderGroup).join("\n");
  return `${document.slice(0, from + BEGIN.length)}\n${tables}${document.slice(to)}`;
}

function renderGroup({ file, about, faults }: FaultGroup): string {
  const rows = faults.map(({ fault, promise, sees }) => `| ${fault} | ${promise} | ${sees} |`);
  return [
    `### ${about.replace(/\.$/, "")}`,
    "",
    `[${file}](../test/faults/${file})`,
    "",
    "| fault | what holds | what the user sees |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
