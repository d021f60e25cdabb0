/** Characters of standard base64 for `byteLength` bytes, padding included. */
export function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

/**
 * Standard base64 with padding, decoded strictly; undefined for anything else. `Buffer.from(text, "base64")` alone
 * would skip what it does not know and answer with fewer bytes.
 *
 * Line breaks are allowed, as in Go's decoder, which sops reads the same text with: a file whose lines were
 * wrapped opens here as it does there.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const compact = text.includes("\n") || text.includes("\r") ? text.replace(/[\r\n]/g, "") : text;
  const bytes = Buffer.from(compact, "base64");
  return bytes.length > 0 && bytes.toString("base64") === compact ? bytes : undefined;
}
