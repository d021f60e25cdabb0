import type { GoogleShape, RuleShape } from "./document.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { KeyPath } from "./issue.ts";
import { error, type Judgement } from "./judgement.ts";

/** A method's path is all that gRPC has: what stands before it in an endpoint would be lost without a word. */
export function* checkTransport(
  { kms }: RuleShape,
  rulePath: KeyPath,
  google: GoogleShape | undefined,
): Generator<Judgement> {
  if (kms.transport !== "grpc") return;
  if (hasPath(kms.endpoint)) {
    yield error([...rulePath, "kms", "endpoint"], "has a path, and transport grpc has no use for one; take it out");
  } else if (kms.endpoint === undefined && kms.universeDomain === undefined && hasPath(google?.endpoints.kms)) {
    yield error(
      [...rulePath, "kms", "transport"],
      "grpc has no use for the path in google.endpoints.kms; set endpoint",
    );
  }
}

function hasPath(url: string | undefined): boolean {
  const endpoint = url === undefined ? undefined : parseEndpoint(url);
  return typeof endpoint === "object" && new URL(endpoint.url).pathname !== "/";
}
