// Writes schema/config.schema.json anew. Run it after a change to the config's schema; a test compares the two.
import { writeFile } from "node:fs/promises";
import { renderConfigJsonSchema } from "../src/config/json-schema.ts";

await writeFile(new URL("../schema/config.schema.json", import.meta.url), renderConfigJsonSchema());
