import type { CredentialFields } from "../credential-document.ts";
import { readNamedFile } from "./read-file.ts";
import { extractToken, type GetSubjectToken, parseFormat, toSubjectToken } from "./subject-token.ts";

/**
 * A file that something else keeps fresh, such as a projected service account token of Kubernetes. Read at each
 * exchange.
 */
export function parseFileOrigin(origin: CredentialFields): GetSubjectToken {
  const path = origin.text("file");
  const format = parseFormat(origin);
  return async ({ tokenType }, context) => {
    const text = await readNamedFile(path, "subject token file", context);
    return toSubjectToken(extractToken(text, format), tokenType, `file ${path}`);
  };
}
