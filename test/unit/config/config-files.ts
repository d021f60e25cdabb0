import { readdirSync, readFileSync } from "node:fs";

const root = new URL("../../../", import.meta.url);

/** A file of the project, by its path from the top. */
export function readProjectFile(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** The paths of all examples that are configs. */
export function exampleFiles(): readonly string[] {
  return readdirSync(new URL("examples/", root))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `examples/${name}`);
}
