/** The way to a value in the document: keys and list positions from the top. */
export type KeyPath = readonly (string | number)[];

/** One thing that is wrong (or, as a warning, odd) in a config, and where. */
export interface ConfigIssue {
  readonly file: string;
  /** From 1; 0 where the issue is about the file as a whole. */
  readonly line: number;
  /** From 1, in UTF-16 units; 0 where the issue is about the file as a whole. */
  readonly column: number;
  /** `rules[0].tokenSource`; empty for the document itself. */
  readonly path: string;
  /** What is wrong and what was expected. Never holds a value from the document: it may be a pasted key or token. */
  readonly message: string;
}

/** What a check finds, before it is known on which line it stands. */
export interface Finding {
  readonly path: KeyPath;
  /** Whether the key or its value is to blame. */
  readonly at: "key" | "value";
  readonly message: string;
}

/** More would bury the reader, and a hostile file could ask for a million. */
const MAX_ISSUES = 100;

/** A config that cannot be used; every issue that was found, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], cause?: unknown) {
    super(issues.map(renderIssue).join("\n"), cause === undefined ? undefined : { cause });
    this.issues = Object.freeze([...issues]);
  }
}

/** An error about a file as a whole, such as that it cannot be read. */
export function fileError(file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError([{ file, line: 0, column: 0, path: "", message }], cause);
}

/** `config.yaml:12:5: rules[0].tokenSources: unknown key` */
export function renderIssue(issue: ConfigIssue): string {
  const place = issue.line === 0 ? issue.file : `${issue.file}:${issue.line}:${issue.column}`;
  return issue.path === "" ? `${place}: ${issue.message}` : `${place}: ${issue.path}: ${issue.message}`;
}

/** In the order of the file, each once, and bounded. */
export function sortIssues(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  // A list that is none is found by its own check and by that of its entries.
  const each = new Map(issues.map((issue) => [renderIssue(issue), issue])).values();
  const sorted = [...each].toSorted((a, b) => a.line - b.line || a.column - b.column);
  const [last] = sorted.slice(MAX_ISSUES - 1);
  if (last === undefined || sorted.length <= MAX_ISSUES) return sorted;
  const rest = sorted.length - MAX_ISSUES + 1;
  const message = `${rest} further problems are not shown; mend those above first`;
  return [...sorted.slice(0, MAX_ISSUES - 1), { ...last, path: "", message }];
}

const PLAIN_KEY = /^[A-Za-z][A-Za-z0-9_-]*$/;
const MAX_SHOWN_KEY_LENGTH = 63;
// `oauth2`, `prod`, `123456789012`, `k8s`; and not `A0AfByC7xQ`, whose letters and digits nobody mixes by hand.
const NAME_WORD = /^(?:[A-Za-z]{1,24}\d{0,4}|\d{1,12}|[A-Za-z0-9]{1,4})$/;

/** `rules[0].kms.endpoint` */
export function renderKeyPath(path: KeyPath): string {
  return path.reduce<string>((text, part) => text + renderPart(part, text === ""), "");
}

function renderPart(part: string | number, isFirst: boolean): string {
  if (typeof part === "number") return `[${part}]`;
  if (!isShowable(part)) return isFirst ? "(a key)" : ".(a key)";
  if (PLAIN_KEY.test(part)) return isFirst ? part : `.${part}`;
  return `["${part}"]`;
}

/**
 * Whether a key from the document may be repeated in a message. A token or key file pasted at the wrong place ends up
 * as keys: what is not made of words as people name things is not shown.
 */
export function isShowable(key: string): boolean {
  return key.length <= MAX_SHOWN_KEY_LENGTH && key.split(/[._-]/).every((word) => NAME_WORD.test(word));
}
