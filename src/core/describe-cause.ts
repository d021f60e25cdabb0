import { KeyServiceError, toPrintableLine } from "./errors.ts";

const MAX_CAUSES = 5;

/**
 * What lies behind an error, by names, codes and places in the code. Never by messages: those of JSON.parse and of
 * HTTP libraries quote the bytes they met, which may be a credential.
 */
export function describeCause(cause: unknown): string {
  const parts: string[] = [];
  for (let error = cause; error instanceof Error && parts.length < MAX_CAUSES; error = error.cause) {
    parts.push(error instanceof KeyServiceError ? error.code : describeForeign(error));
  }
  return parts.join(" < ");
}

function describeForeign(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? `(${toPrintableLine(error.code)})` : "";
  const frame = error.stack?.split("\n").find((line) => line.startsWith("    at "));
  return `${error.name}${code}${frame === undefined ? "" : ` ${frame.trim()}`}`;
}
