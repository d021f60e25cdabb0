// Writes the tables of docs/faults.md anew. Run it after a change to the tests under test/faults; a test compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { renderFaultsDocument } from "./faults-document.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = `${root}docs/faults.md`;
writeFileSync(path, renderFaultsDocument(readFileSync(path, "utf8"), root));
