import { readFileSync } from "node:fs";
import { PACKAGE_FILE } from "../package-files.ts";

/** From package.json. */
export function readVersion(): string {
  const text = readFileSync(PACKAGE_FILE, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
