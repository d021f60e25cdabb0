import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { CredentialLocation } from "../../../src/config/config.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { parseCredential } from "../../../src/credentials/credential-document.ts";
import { createCredentialReader } from "../../../src/credentials/credential-file.ts";
import { createCredentialFolder, createEnvironment } from "../../fakes/token-credentials.ts";

function createReader(location: CredentialLocation, variables: Record<string, string> = {}) {
  const warnings: string[] = [];
  const read = createCredentialReader(location, createEnvironment(variables), (message) => warnings.push(message));
  return { read, warnings };
}

const rejectsWith = (code: string, says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof KeyServiceError);
  assert.equal(error.code, code);
  assert.match(error.message, says);
  return true;
};

test("a file is read anew each time, so that a rotated one is used", async () => {
  await using folder = await createCredentialFolder();
  const location = await folder.write("key.json", "one");
  const { read, warnings } = createReader(location);
  assert.deepEqual(await read(), { text: "one", origin: `file ${location.path}` });
  await writeFile(location.path, "two");
  assert.equal((await read()).text, "two");
  assert.deepEqual(warnings, []);
});

test("a file that everybody can read is warned of, once", async () => {
  await using folder = await createCredentialFolder();
  const location = await folder.write("key.json", "text");
  await chmod(location.path, 0o644);
  const { read, warnings } = createReader(location);
  await read();
  await read();
  assert.deepEqual(warnings, [
    `credential file ${location.path} can be read by every user of this machine: chmod it to 0600`,
  ]);
});

test("what is not there is missing; what is there and no regular file or too long is refused", async () => {
  await using folder = await createCredentialFolder();
  const missing = createReader({ kind: "file", path: join(folder.path, "none.json") });
  await assert.rejects(missing.read(), rejectsWith("credential_missing", /there is no credential file/));
  const directory = createReader({ kind: "file", path: folder.path });
  await assert.rejects(directory.read(), rejectsWith("credential_rejected", /not a regular file/));
  const long = createReader(await folder.write("long.json", "x".repeat(65_537)));
  await assert.rejects(long.read(), rejectsWith("credential_rejected", /longer than 65536 bytes/));
  const device = createReader({ kind: "file", path: "/dev/zero" });
  await assert.rejects(device.read(), rejectsWith("credential_rejected", /not a regular file/));
});

test("a FIFO that nobody writes to is refused at once", async () => {
  await using folder = await createCredentialFolder();
  const path = join(folder.path, "fifo");
  execFileSync("mkfifo", [path]);
  await assert.rejects(
    createReader({ kind: "file", path }).read(),
    rejectsWith("credential_rejected", /not a regular file/),
  );
});

test("a file that goes away is missing from then on", async () => {
  await using folder = await createCredentialFolder();
  const location = await folder.write("key.json", "text");
  const { read } = createReader(location);
  await read();
  await rm(location.path);
  await assert.rejects(read(), rejectsWith("credential_missing", /there is no credential file/));
});

test("a variable is read anew each time, and is missing where it is empty", async () => {
  const variables: Record<string, string> = { KEY: "one" };
  const read = createCredentialReader(
    { kind: "env", variable: "KEY" },
    { get: (name) => variables[name] || undefined },
    assert.fail,
  );
  assert.deepEqual(await read(), { text: "one", origin: "environment variable KEY" });
  variables["KEY"] = "";
  await assert.rejects(read(), rejectsWith("credential_missing", /environment variable KEY is not set/));
});

test("errors of a document name file and field, and never show its content", () => {
  const parse = (value: unknown) => parseCredential({ text: JSON.stringify(value), origin: "file k.json" });
  const canary = "canary-content";
  const document = parse({
    type: "x",
    number: 7,
    list: [canary, 7],
    url: canary,
    inner: { type: "y", deep: [canary] },
  });
  const faults: [() => unknown, RegExp][] = [
    [() => parseCredential({ text: canary, origin: "file k.json" }), /in file k.json is not a JSON object/],
    [() => parse([canary]), /is not a JSON object/],
    [() => parse({ note: canary }), /in file k.json is not usable: "type" is missing/],
    [() => document.text("absent"), /"absent" is missing/],
    [() => document.text("number"), /"number" is not text/],
    [() => document.optionalTexts("list"), /"list" is not a list of texts/],
    [() => document.optionalUrl("url"), /"url" is not a URL/],
    [() => document.document("inner").text("deep"), /"inner.deep" is not text/],
    [() => document.document("url"), /"url" is not an object/],
  ];
  for (const [run, says] of faults) {
    assert.throws(run, (error) => {
      assert.ok(error instanceof KeyServiceError && error.code === "credential_rejected");
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  }
});
