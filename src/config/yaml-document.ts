import { LineCounter, parseDocument } from "yaml";
import { MAX_DOCUMENT_BYTES } from "./defaults.ts";
import { type ConfigIssue, type Finding, type KeyPath, renderKeyPath, sortIssues } from "./issue.ts";
import { describeYamlError } from "./yaml-errors.ts";
import { createYamlReader, type PlainValue } from "./yaml-reader.ts";

/** A YAML document as plain values, and the place of each in the file. */
export interface ConfigDocument {
  /** Objects have no prototype; aliases share what they stand for. Undefined where it could not be read. */
  readonly value: PlainValue | undefined;
  /** What is wrong with the YAML itself. */
  readonly issues: readonly ConfigIssue[];
  /** Findings with their places; bounded and in the order of the file. */
  locate(findings: readonly Finding[]): readonly ConfigIssue[];
}

/**
 * Reads one YAML 1.2 document of core types. Never throws: what is wrong is in `issues`. Messages of the YAML library
 * are not passed on, since some of them quote the file.
 *
 * @param file for the issues only
 */
export function parseConfigDocument(bytes: Uint8Array, file: string): ConfigDocument {
  if (bytes.length > MAX_DOCUMENT_BYTES) return unreadable(file, `is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  const text = decodeUtf8(bytes);
  if (text === undefined) return unreadable(file, "is not UTF-8 text");
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    schema: "core",
    // Else `!!binary`, `!!set` and others are understood though the core schema does not have them.
    resolveKnownTags: false,
    // Its own check compares every pair of keys; the reader's takes linear time.
    uniqueKeys: false,
    // Not "silent": that would also silence the error of a second document.
    logLevel: "error",
  });
  const issueAt = (offset: number, path: KeyPath, message: string): ConfigIssue => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col), path: renderKeyPath(path), message };
  };
  const troubles = [...document.errors, ...document.warnings];
  if (troubles.length > 0) {
    const issues = troubles.map((trouble) => issueAt(trouble.pos[0], [], describeYamlError(trouble.code)));
    return { value: undefined, issues: sortIssues(issues), locate: () => [] };
  }
  const reader = createYamlReader(document.contents);
  const issues = reader.troubles.map(({ offset, path, message }) => issueAt(offset, path, message));
  return {
    value: reader.value,
    issues: sortIssues(issues),
    locate: (findings) =>
      sortIssues(findings.map((each) => issueAt(reader.offsetOf(each.path, each.at), each.path, each.message))),
  };
}

function unreadable(file: string, message: string): ConfigDocument {
  return {
    value: undefined,
    issues: [{ file, line: 0, column: 0, path: "", message: `the file ${message}` }],
    locate: () => [],
  };
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
