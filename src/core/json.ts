export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * What `text` says, where it is one JSON object; undefined where it is not. Never the parser's own error: it quotes what
 * it met, which may be a secret.
 */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
