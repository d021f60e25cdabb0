/** The names of a certificate's holder that an identity can be told by. */
export interface AlternativeNames {
  /** As they stand in it. */
  readonly uris: readonly string[];
  /** In lower case: DNS knows no capitals. */
  readonly dnsNames: readonly string[];
}

/** One name in Node's text: a value with a comma, a quote or the like stands in quotes, escaped as in JSON. */
const NAME = /([A-Za-z0-9 ]+):(?:"((?:[^"\\]|\\.)*)"|([^,"\\]*))(?:, |$)/y;

/**
 * Takes `X509Certificate.subjectAltName` apart. What does not read as a whole gives no names at all: a name must never
 * come out of the middle of another.
 */
export function parseAlternativeNames(text: string): AlternativeNames {
  const names = readNames(text);
  if (names === undefined) return { uris: [], dnsNames: [] };
  const ofKind = (kind: string) => names.flatMap((name) => (name.kind === kind ? [name.value] : []));
  return { uris: ofKind("URI"), dnsNames: [...new Set(ofKind("DNS").map((name) => name.toLowerCase()))] };
}

function readNames(text: string): readonly { readonly kind: string; readonly value: string }[] | undefined {
  const names = [];
  NAME.lastIndex = 0;
  while (NAME.lastIndex < text.length) {
    const [, kind, quoted, plain = ""] = NAME.exec(text) ?? [];
    const value = quoted === undefined ? plain : unquote(quoted);
    if (kind === undefined || value === undefined) return undefined;
    names.push({ kind, value });
  }
  return names;
}

function unquote(quoted: string): string | undefined {
  try {
    return String(JSON.parse(`"${quoted}"`));
  } catch {
    return undefined;
  }
}
