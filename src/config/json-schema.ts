import { toJSONSchema } from "zod";
import { configSchema } from "./schema.ts";

/** JSON Schema of the config file, from the same source that checks it; draft 7, which all editors read. */
export function createConfigJsonSchema(): unknown {
  return toJSONSchema(configSchema, { target: "draft-7", io: "input" });
}

/** As it is committed in schema/config.schema.json. */
export function renderConfigJsonSchema(): string {
  return `${JSON.stringify(createConfigJsonSchema(), undefined, 2)}\n`;
}
