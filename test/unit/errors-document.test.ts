import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { status } from "@grpc/grpc-js";
import { findErrorTexts, renderErrorsDocument } from "../../scripts/errors-document.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { grpcStatusOf } from "../../src/server/status.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");
const DOCUMENT = read("docs/errors.md");

/** From the union itself, so that a new code without a row is noticed. */
function declaredCodes(): readonly string[] {
  const source = read("src/core/errors.ts");
  const union = source.slice(source.indexOf("type ErrorCode"), source.indexOf("interface ErrorContext"));
  return [...union.matchAll(/\| "([a-z_]+)"/g)].map(([, code = ""]) => code);
}

test("docs/errors.md has every code in the code's order, each with its gRPC status", () => {
  const rows = [...DOCUMENT.matchAll(/^\| `([a-z_]+)` \| ([A-Z_]+) \|/gm)].map(([, code, name]) => `${code} ${name}`);
  assert.ok(rows.length > 15);
  assert.deepEqual(
    rows,
    declaredCodes().map((code) => `${code} ${status[grpcStatusOf(code as ErrorCode)]}`),
  );
});

test("its table of texts is the one that the source gives (run scripts/generate-errors-doc.ts)", () => {
  assert.equal(renderErrorsDocument(DOCUMENT, ROOT), DOCUMENT);
});

test("every remedy of src/credentials is found by what makes the table", () => {
  const texts = findErrorTexts(ROOT);
  const found = new Set(texts.flatMap(({ remedies }) => remedies));
  assert.ok(found.has("run gcloud auth application-default login again"));
  assert.ok([...found].some((remedy) => /^grant .+ to … on …/.test(remedy)));
  assert.ok(found.has("set the clock of this machine: google says that the time in the request is off"));
  const files = new Set(texts.map(({ file }) => file));
  for (const file of ["sources/metadata", "sources/service-account", "endpoint-policy", "token-lifetime"]) {
    assert.ok(files.has(file), file);
  }
});
