import { readFileSync } from "node:fs";

/** From package.json, which lies beside `src/` in a checkout and beside `dist/` in the package. */
export function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
