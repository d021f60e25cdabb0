import type { ErrorCode } from "yaml";

const DESCRIPTIONS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: "an alias takes neither an anchor nor a tag",
  BAD_ALIAS: "an alias needs a name that an anchor before it has",
  BAD_COLLECTION_TYPE: "this tag does not fit the value",
  BAD_DIRECTIVE: "this directive is not known; a config needs none",
  BAD_DQ_ESCAPE: "this escape is not known in a double-quoted text",
  BAD_INDENT: "the indentation does not fit the lines before",
  BAD_PROP_ORDER: "anchor and tag come before the value",
  BAD_SCALAR_START: "a text that begins with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "one line can hold only one `key: value`; indent the nested one on a line of its own",
  BLOCK_IN_FLOW: "an indented block cannot stand between brackets",
  DUPLICATE_KEY: "this key is given twice",
  IMPOSSIBLE: "this is not YAML",
  KEY_OVER_1024_CHARS: "this key is too long",
  MISSING_CHAR: "a character is missing, such as a quote, bracket, comma, colon or space",
  MULTILINE_IMPLICIT_KEY: "a key cannot go over several lines; is a `:` missing?",
  MULTIPLE_ANCHORS: "a value takes one anchor",
  MULTIPLE_DOCS: "the file holds more than one document; a config is one",
  MULTIPLE_TAGS: "a value takes one tag",
  NON_STRING_KEY: "a key must be text",
  RESOURCE_EXHAUSTION: "this is nested too deeply",
  TAB_AS_INDENT: "tabs cannot indent YAML; use spaces",
  TAG_RESOLVE_FAILED: "this tag is not known; a config needs none",
  UNEXPECTED_TOKEN: "this is not expected here; is the indentation, a quote or a bracket wrong?",
};

/** Our words for an error of the YAML library: its own may quote the file, and the file may hold a pasted key. */
export function describeYamlError(code: ErrorCode): string {
  return DESCRIPTIONS[code] ?? DESCRIPTIONS.IMPOSSIBLE;
}
