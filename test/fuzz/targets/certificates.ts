import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { parseAlternativeNames } from "../../../src/access/alternative-names.ts";
import { type CertificateProof, describeProof } from "../../../src/access/caller.ts";
import { certificateProof } from "../../../src/access/certificate.ts";
import { isSpiffeId } from "../../../src/config/spiffe-id.ts";
import type { Target } from "../harness/target.ts";
import { isWorkloadId, readNames } from "../references/identities.ts";

const IDS = [
  "spiffe://example.com/ns/a/sa/b",
  "spiffe://",
  "example.com",
  "/",
  "..",
  ".",
  "%2e",
  "?",
  "#",
  ":443",
  "@",
  "A",
  "_",
];

/** A certificate in DER, as it would stand once TLS had taken it. */
export const certificate: Target = {
  name: "certificate",
  dictionary: [
    ...IDS,
    "\x86",
    "\x82",
    "\x87\x04\x7f\x00\x00\x01",
    "\x06\x03\x55\x1d\x11",
    ", URI:spiffe://example.com/admin",
  ],
  maxBytes: 2000,
  open: () => ({
    run(input) {
      const parsed = tryParse(input);
      if (parsed === undefined) return "no certificate";
      const proof = tryProof(parsed);
      if (proof === undefined) return "an unknown kind of key";
      expectFromIt(proof, parsed);
      const { spiffeId, rejectedUris = [], dnsNames } = proof;
      return `${spiffeId !== undefined} ${rejectedUris.length} ${dnsNames.length} ${parsed.ca}`;
    },
  }),
};

function expectFromIt(proof: CertificateProof, parsed: X509Certificate): void {
  const { spiffeId, rejectedUris = [], dnsNames, publicKeySha256 } = proof;
  const text = parsed.raw.toString("latin1");
  for (const uri of spiffeId === undefined ? rejectedUris : [spiffeId]) assert.ok(text.includes(uri), uri);
  for (const name of dnsNames) assert.ok(text.toLowerCase().includes(name), name);
  if (spiffeId !== undefined) assert.ok(isWorkloadId(spiffeId) && !parsed.ca, spiffeId);
  assert.match(publicKeySha256, /^[A-Za-z0-9+/]{43}=$/);
  assert.match(describeProof(proof) ?? "", /^certificate of /);
}

function tryParse(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

function tryProof(parsed: X509Certificate): CertificateProof | undefined {
  try {
    return certificateProof(parsed);
  } catch (thrown) {
    // The one error that it may have: OpenSSL's, of a key that it cannot use.
    if (thrown instanceof Error && "code" in thrown && /^ERR_(?:OSSL|CRYPTO)/.test(String(thrown.code)))
      return undefined;
    throw thrown;
  }
}

/** The names of a certificate as Node.js writes them. */
export const alternativeNames: Target = {
  name: "alternative-names",
  dictionary: [
    ...IDS,
    "URI:",
    "DNS:",
    "IP Address:",
    ", ",
    ",",
    '"',
    "\\",
    '\\"',
    "\\u002c",
    "\\u",
    "DirName:",
    "\\n",
    ":",
  ],
  maxBytes: 500,
  open: () => ({
    run(input) {
      const text = input.toString("utf8");
      const { uris, dnsNames } = parseAlternativeNames(text);
      const names = readNames(text) ?? [];
      assert.deepEqual(
        uris,
        names.filter(([kind]) => kind === "URI").map(([, value]) => value),
      );
      const dns = names.filter(([kind]) => kind === "DNS").map(([, value]) => value.toLowerCase());
      assert.deepEqual(dnsNames, [...new Set(dns)]);
      return `${readNames(text) === undefined} ${[uris, dnsNames, names].map(({ length }) => Math.min(4, length))}`;
    },
  }),
};

export const spiffeId: Target = {
  name: "spiffe-id",
  dictionary: IDS,
  maxBytes: 2300,
  open: () => ({
    run(input) {
      const text = input.toString("utf8");
      const isOne = isSpiffeId(text);
      assert.equal(isOne, isWorkloadId(text));
      if (isOne) assert.equal(new URL(text).href, text);
      return `${isOne} ${text.startsWith("spiffe://")} ${Math.min(8, text.split("/").length)}`;
    },
    samples: [Buffer.from(`spiffe://a/${"b/".repeat(1018)}c`), Buffer.from(`spiffe://${"a".repeat(255)}/b`)],
  }),
};
