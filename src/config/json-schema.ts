import { toJSONSchema } from "zod";
import { configSchema } from "./schema.ts";

// Zod leaves `default` out where a duration is turned into a number, and some defaults depend on other keys, so that
// they are filled in later: the schema notes what a reader should see as `shownDefault`.
function showDefault(jsonSchema: Record<string, unknown>): void {
  if (!("shownDefault" in jsonSchema)) return;
  jsonSchema["default"] = jsonSchema["shownDefault"];
  delete jsonSchema["shownDefault"];
}

/** JSON Schema of the config file, from the same source that checks it; draft 7, which all editors read. */
export function createConfigJsonSchema(): unknown {
  return toJSONSchema(configSchema, {
    target: "draft-7",
    io: "input",
    override: ({ jsonSchema }) => showDefault(jsonSchema),
  });
}

/** As it is committed in schema/config.schema.json. */
export function renderConfigJsonSchema(): string {
  return `${JSON.stringify(createConfigJsonSchema(), undefined, 2)}\n`;
}
