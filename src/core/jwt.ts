import { type JsonObject, parseJsonObject } from "./json.ts";

/** The header or the claims of a JWT, of which nothing is verified; undefined where they are no JSON object. */
export function parseJwtPart(part: string): JsonObject | undefined {
  return parseJsonObject(Buffer.from(part, "base64url").toString("utf8"));
}
