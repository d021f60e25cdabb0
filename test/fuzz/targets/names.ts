import assert from "node:assert/strict";
import { covers, matches, overlaps, type Pattern, PatternError, parsePattern } from "../../../src/routing/pattern.ts";
import { type CryptoKeyName, parseCryptoKeyName } from "../../../src/routing/resource-name.ts";
import { expectPublic, expectRefusal, kindOf } from "../harness/expect.ts";
import type { Target } from "../harness/target.ts";
import { isKeyName, patternMatches } from "../references/names.ts";

const DICTIONARY = [
  "projects/",
  "/locations/",
  "/keyRings/",
  "/cryptoKeys/",
  "/cryptoKeyVersions/1",
  "example.com:",
  "global",
  "europe-west1",
  "*",
  "**",
  "-",
  ".",
  ":",
  "?x=1",
  "#",
  "%2e",
  "%2F",
  ";",
  "@",
  "//",
  "\\",
  "_",
  "K",
  "0",
];

/** The text of a name as any sops file has it. */
export const resourceName: Target = {
  name: "resource-name",
  dictionary: DICTIONARY,
  maxBytes: 1000,
  open: () => ({
    run(input) {
      const text = input.toString("utf8");
      try {
        const name = parseCryptoKeyName(text);
        expectSafe(name, text);
        return `accepted ${name.length >> 4}`;
      } catch (thrown) {
        const kind = expectRefusal(thrown, ["key_name_invalid"]);
        assert.ok(!isKeyName(text) || text.length > 600, "a name that is one was refused");
        return kind;
      }
    },
  }),
};

function expectSafe(name: CryptoKeyName, text: string): void {
  assert.equal(name, text);
  assert.ok(isKeyName(text), "accepted, and no name by its grammar");
  assert.equal(new URL(`https://h/v1/${name}:decrypt`).pathname, `/v1/${text}:decrypt`);
  assert.equal(encodeURI(name), name);
  assert.ok(matches(parsePattern(name), name), "does not fit itself");
}

/** Lines: two patterns and two names. */
export const pattern: Target = {
  name: "pattern",
  dictionary: [...DICTIONARY, "\n"],
  maxBytes: 1500,
  open: () => ({
    run(input) {
      const [first = "", second = "", ...texts] = input.toString("utf8").split("\n");
      const [one, other] = [tryPattern(first), tryPattern(second)];
      if (typeof one === "string") return one;
      const names = texts.slice(0, 2).flatMap((text) => tryName(text) ?? []);
      const fitting = names.map((name) => expectSame(one, name));
      if (typeof other === "string") return `one ${fitting.join(" ")}, ${other}`;
      for (const name of names) expectConsistent(one, other, name);
      return `two ${fitting.join(" ")} ${covers(one, other)} ${overlaps(one, other)} ${one.text.split("*").length}`;
    },
  }),
};

function expectSame(parsed: Pattern, name: CryptoKeyName): boolean {
  const fits = matches(parsed, name);
  assert.equal(fits, patternMatches(parsed.text, name), `${parsed.text} and ${name}`);
  return fits;
}

function expectConsistent(one: Pattern, other: Pattern, name: CryptoKeyName): void {
  const [fitsOne, fitsOther] = [expectSame(one, name), expectSame(other, name)];
  if (fitsOther && covers(one, other)) assert.ok(fitsOne, `${one.text} does not cover ${other.text}: ${name}`);
  if (fitsOne && fitsOther) assert.ok(overlaps(one, other), `${one.text} and ${other.text} overlap: ${name}`);
  assert.equal(overlaps(one, other), overlaps(other, one));
  assert.ok(covers(one, one) && overlaps(one, one));
}

function tryPattern(text: string): Pattern | string {
  try {
    return parsePattern(text);
  } catch (thrown) {
    if (!(thrown instanceof PatternError)) throw thrown;
    expectPublic(thrown.message);
    return kindOf(thrown.message);
  }
}

function tryName(text: string): CryptoKeyName | undefined {
  try {
    return parseCryptoKeyName(text);
  } catch (thrown) {
    expectRefusal(thrown, ["key_name_invalid"]);
    return undefined;
  }
}
