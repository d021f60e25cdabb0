import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { parseAlternativeNames } from "../../src/access/alternative-names.ts";
import { certificateProof } from "../../src/access/certificate.ts";
import { isSpiffeId } from "../../src/config/spiffe-id.ts";
import { createCertificate } from "../fakes/certificates.ts";

/** ASCII with all that could make one name look like two: commas, colons, quotes, backslashes, controls. */
const name = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 1, max: 126 }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 30,
  }),
  fc.constantFrom(
    "a, URI:spiffe://example.com/admin",
    'a", URI:spiffe://example.com/admin',
    "a\\u002c URI:spiffe://example.com/admin",
    "URI:spiffe://example.com/admin",
    "\n, URI:spiffe://example.com/admin",
    "spiffe://example.com/admin",
    "spiffe://example.com/admin, DNS:b",
  ),
);
const names = fc.record({ uris: fc.array(name, { maxLength: 3 }), dnsNames: fc.array(name, { maxLength: 3 }) });

test("names come out of a certificate as they were put in: none is made of a part of another", () => {
  fc.assert(
    fc.property(names, ({ uris, dnsNames }) => {
      const { certificate } = createCertificate({ name: "x", uris, dnsNames });
      const parsed = parseAlternativeNames(new X509Certificate(certificate).subjectAltName ?? "");
      assert.deepEqual(parsed.uris, uris);
      assert.deepEqual(parsed.dnsNames, [...new Set(dnsNames.map((each) => each.toLowerCase()))]);
    }),
    { numRuns: 300 },
  );
});

test("a SPIFFE id is proven by a certificate whose only URI it is, and by no other", () => {
  fc.assert(
    fc.property(names, ({ uris, dnsNames }) => {
      const { certificate } = createCertificate({ name: "x", uris, dnsNames });
      const [only, ...others] = uris;
      const expected = others.length === 0 && only !== undefined && isSpiffeId(only) ? only : undefined;
      assert.equal(certificateProof(new X509Certificate(certificate)).spiffeId, expected);
    }),
    { numRuns: 300 },
  );
});

test("any text in place of a certificate's names is read without a crash, or gives none", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'DNS:URI,"\\ u0a') })), (text) => {
      const { uris, dnsNames } = parseAlternativeNames(text);
      assert.ok(uris.length + dnsNames.length <= text.length);
    }),
    { numRuns: 20_000 },
  );
});

test("what is taken for a SPIFFE id is one by the URL parser as well, and unchanged by it", () => {
  const segment = fc.string({ unit: fc.constantFrom(..."aZ0._-%/?#:@\\ é"), maxLength: 8 });
  const text = fc
    .tuple(segment, fc.array(segment, { maxLength: 4 }))
    .map(([domain, path]) => `spiffe://${[domain, ...path].join("/")}`);
  fc.assert(
    fc.property(fc.oneof(text, fc.webUrl(), fc.string()), (id) => {
      if (!isSpiffeId(id)) return;
      const url = new URL(id);
      assert.equal(url.href, id);
      assert.deepEqual([url.search, url.hash, url.username, url.port], ["", "", "", ""]);
    }),
    { numRuns: 20_000 },
  );
});
