import { KeyServiceError } from "../../core/errors.ts";
import { createCredentialReader } from "../credential-file.ts";
import type { SourceContext } from "../source-context.ts";

/**
 * A file that a credential names: regular and of bounded size. Who may read it is its issuer's affair (Kubernetes makes
 * its tokens readable to all of a pod), so nothing is warned of.
 *
 * @throws KeyServiceError `credential_rejected`, also where there is none: the credential itself is there, and to go on
 * to another identity would hide that this one is broken
 */
export async function readNamedFile(path: string, what: string, { environment }: SourceContext): Promise<string> {
  try {
    const { text } = await createCredentialReader({ kind: "file", path }, environment, () => {})();
    return text;
  } catch (error) {
    if (!(error instanceof KeyServiceError) || error.code !== "credential_missing") throw error;
    throw new KeyServiceError("credential_rejected", {
      problem: `there is no ${what} ${path}`,
      remedy: "see what writes it, and the path in the credential file",
      cause: error,
    });
  }
}
