import { styleText } from "node:util";

type Style = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";

const WIDTH = 96;

/** Coloured on a terminal only, and not where NO_COLOR is set: styleText looks after both. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Shows the steps, numbered, with the time since the start. */
export interface Screen {
  step(text: string): void;
  /** A line below a step. */
  note(text: string): void;
  /** What a program printed, cut to the width of a terminal. */
  quote(text: string, style?: Style): void;
  /** The same, whole: lines that are too long go on in the next. */
  quoteAll(text: string, style: Style): void;
  /** As the user would type it. */
  command(text: string): void;
}

export function createScreen(steps: number): Screen {
  const startMs = performance.now();
  let current = 0;
  return {
    step(text) {
      current += 1;
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      print(`${styled("cyan", `[${current}/${steps}]`)} ${styled("bold", text)} ${styled("dim", `${seconds} s`)}`);
    },
    note: (text) => print(`      ${text}`),
    quote(text, style = "dim") {
      for (const line of text.trimEnd().split("\n")) print(`      ${styled(style, cut(line))}`);
    },
    quoteAll(text, style) {
      for (const line of text.trimEnd().split("\n").flatMap(wrap)) print(`      ${styled(style, line)}`);
    },
    command: (text) => print(`      ${styled("dim", "$")} ${text}`),
  };
}

export function print(text = ""): void {
  process.stdout.write(`${text}\n`);
}

function cut(line: string): string {
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line;
}

function wrap(line: string): string[] {
  const lines: string[] = [];
  for (const word of line.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
