import type { z } from "zod";
import type { HttpRequest } from "./http.ts";
import { googleErrorReply, googleRefusal, Refusal } from "./refusals.ts";
import type { EmulatorRequest } from "./routes.ts";

export const MAX_BODY_BYTES: number = 1024 * 1024;

/** @throws Refusal 413 as soon as the body is larger than {@link MAX_BODY_BYTES} */
export async function readBody(message: HttpRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) {
      const text = `Request payload size exceeds the limit: ${MAX_BODY_BYTES} bytes.`;
      throw new Refusal(text, googleErrorReply(413, "INVALID_ARGUMENT", text));
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The JSON body in the shape that is expected. As with Google, a field that does not exist is an error: a typo in a
 * client shows here and not in production.
 */
export function parseJsonBody<T>(request: EmulatorRequest, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(request.body.length === 0 ? {} : parseJson(request.body.toString("utf8")));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  const what = issue?.code === "unrecognized_keys" ? `Unknown name "${issue.keys[0]}"` : (issue?.message ?? "");
  throw googleRefusal(
    "INVALID_ARGUMENT",
    `Invalid JSON payload received. ${what}${where === "" ? "" : ` at '${where}'`}.`,
  );
}

/** Undefined where it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Standard or URL-safe, with or without padding: protobuf's JSON mapping reads them all. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

export function decodeBase64Field(field: string, text: string): Buffer {
  const unpadded = text.replace(/=+$/, "");
  if (!BASE64.test(text) || unpadded.length % 4 === 1) {
    throw googleRefusal("INVALID_ARGUMENT", `Invalid value at '${field}' (TYPE_BYTES), Base64 decoding failed.`);
  }
  return Buffer.from(unpadded, unpadded.includes("-") || unpadded.includes("_") ? "base64url" : "base64");
}

/** A form body: `application/x-www-form-urlencoded`. */
export function parseForm(request: EmulatorRequest): URLSearchParams {
  return new URLSearchParams(request.body.toString("utf8"));
}
