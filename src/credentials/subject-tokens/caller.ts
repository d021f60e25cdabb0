import type { CallerToken } from "../../core/caller-token.ts";
import { type GetSubjectToken, toSubjectToken } from "./subject-token.ts";

/** The token that the caller itself was known by: verified, and exchanged as it is. */
export function createCallerOrigin({ text }: CallerToken): GetSubjectToken {
  return async ({ tokenType }) => toSubjectToken(text.reveal(), tokenType, "the caller");
}
