import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { testWithSops } from "./harness/bench.ts";
import { arrangeFailure, FAILURES } from "./harness/failures.ts";
import { ROOT } from "./harness/sops-binary.ts";

/** What README.md shows of errors: each a fenced block after a comment such as `<!-- error: no-rule -->`. */
const SHOWN = ["no-rule", "bad-key-name", "kms-403", "credential-missing", "kms-unreachable"];

for (const id of SHOWN) {
  testWithSops(`README.md shows the error ${id} as sops prints it`, async (bench) => {
    const failure = FAILURES.find((each) => each.id === id);
    assert.ok(failure !== undefined);
    const keyd = await arrangeFailure(bench, failure);
    const { code, stderr } = await bench.sops(keyd, ["decrypt", "secret.yaml"]);
    assert.notEqual(code, 0);
    const printed = normalise(stderr);
    assert.match(printed, /rpc error: code = /);
    assert.equal(normalise(readBlock(id)), printed);
  });
}

function readBlock(id: string): string {
  const readme = readFileSync(`${ROOT}README.md`, "utf8");
  const block = new RegExp(`^<!-- error: ${id} -->\\n+\`{3}\\w*\\n(.*?)^\`{3}$`, "ms").exec(readme)?.[1];
  assert.ok(block !== undefined, `README.md has no fenced block after <!-- error: ${id} -->`);
  return block;
}

/**
 * Without what differs from run to run: directories of absolute paths, and ports. sops wraps at 60 columns, and where
 * depends on the length of a path: so the bars of its frame go and lines are joined.
 */
function normalise(text: string): string {
  return text
    .replace(/^\s*(?:- )?\| ?/gm, "")
    .replace(/(?<![\w.-])(?:\/[\w.-]+)+\/(?=[\w.-])/g, "…/")
    .replace(/\b127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
    .replace(/\s+/g, " ")
    .trim();
}
