import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { getCACertificates } from "node:tls";
import { createTrustReader } from "../../../src/network/trusted-certificates.ts";
import { createCertificate } from "../../fakes/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "trust-"));
after(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("a CA file", () => {
  test("adds its certificates to the system's, and is read once", () => {
    const { certificate } = createCertificate({ name: "ca", authority: true });
    const read = createTrustReader();
    const path = fileWith("ca.pem", `# a comment\n${certificate}\n${certificate}`);
    const trusted = read(path, "google.caFile");
    assert.equal(trusted?.length, getCACertificates("default").length + 2);
    assert.equal(read(path, "google.caFile"), trusted);
  });

  test("that is not named leaves the system's alone", () =>
    assert.equal(createTrustReader()(undefined, "x"), undefined));

  for (const [what, text, words] of [
    ["holds no certificate", "nothing", /: kms\.caFile of rule a names it, but it holds no certificate in PEM form$/],
    [
      "holds a damaged one",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      /names it, but its certificate 1 is damaged$/,
    ],
  ] as const) {
    test(`that ${what} is refused with its name and the key that names it`, () => {
      assert.throws(() => createTrustReader()(fileWith("bad.pem", text), "kms.caFile of rule a"), words);
    });
  }

  test("that is not there is refused as well", () => {
    assert.throws(() => createTrustReader()(join(folder, "missing.pem"), "google.caFile"), /there is no such file$/);
  });
});
