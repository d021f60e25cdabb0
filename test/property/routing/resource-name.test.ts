import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCryptoKeyName } from "../../../src/routing/resource-name.ts";

const lower = "abcdefghijklmnopqrstuvwxyz0123456789";
const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/);
const project = fc.oneof(
  label,
  fc.tuple(label, label, label).map(([a, b, c]) => `${a}.${b}:${c}`),
  fc.string({ unit: fc.constantFrom(...lower), minLength: 63, maxLength: 63 }),
);
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/).filter((text) => text !== "-");

test("every well-formed name is accepted and stays itself in a URL", () => {
  fc.assert(
    fc.property(project, label, id, id, (p, l, r, k) => {
      const name = parseCryptoKeyName(`projects/${p}/locations/${l}/keyRings/${r}/cryptoKeys/${k}`);
      for (const verb of ["encrypt", "decrypt"]) {
        const url = new URL(`https://h/v1/${name}:${verb}`);
        assert.equal(url.pathname, `/v1/${name}:${verb}`);
        assert.equal(`${url.search}${url.hash}${url.host}`, "h");
      }
    }),
  );
});
