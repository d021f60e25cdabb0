// Writes the table of docs/errors.md anew. Run it after a change to an error of src/credentials; a test compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { renderErrorsDocument } from "./errors-document.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = `${root}docs/errors.md`;
writeFileSync(path, renderErrorsDocument(readFileSync(path, "utf8"), root));
