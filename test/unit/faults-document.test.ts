import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findFaults, renderFaultsDocument } from "../../scripts/faults-document.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FEWEST_FAULTS = 30;

test("every test of a fault says what goes wrong, what holds and what a user sees", () => {
  const faults = findFaults(ROOT).flatMap(({ faults: all }) => all);
  assert.ok(faults.length >= FEWEST_FAULTS);
  for (const { fault, promise, sees } of faults) {
    assert.ok(fault !== "" && promise !== "" && sees !== "", `${fault}: ${promise}: ${sees}`);
  }
});

test("docs/faults.md has them all (run scripts/generate-faults-doc.ts)", () => {
  const document = readFileSync(`${ROOT}docs/faults.md`, "utf8");
  assert.equal(renderFaultsDocument(document, ROOT), document);
});
