import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { TokenSourceConfig } from "../../../src/config/config.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createTokenSources } from "../../../src/credentials/create.ts";
import type { RefreshReport } from "../../../src/credentials/refreshing.ts";
import { createEnvironment } from "../../fakes/token-credentials.ts";
import { GOOGLE } from "../../fakes/token-google.ts";
import { getToken, setUpTokens } from "../../fakes/token-set-up.ts";

const over = (source: string): TokenSourceConfig => ({
  type: "impersonated_service_account",
  source,
  target: "t@example.com",
  delegates: [],
  lifetimeMs: 600_000,
});

function create(sources: Record<string, TokenSourceConfig>, variables = {}, onRefresh?: (r: RefreshReport) => void) {
  const config = { tokenSources: new Map(Object.entries(sources)), google: GOOGLE };
  const options = onRefresh === undefined ? {} : { onRefresh };
  return createTokenSources(config, createEnvironment(variables), systemClock, assert.fail, options);
}

const variable = (name: string): TokenSourceConfig => ({
  type: "access_token",
  token: { kind: "env", variable: name },
});

test("sources may be named in any order, and no source is built twice", () => {
  const { holders, holderFor } = create({ top: over("middle"), middle: over("base"), base: variable("TOKEN") });
  assert.deepEqual([...holders.keys()].sort(), ["base", "middle", "top"]);
  assert.equal(holderFor(["base"]), holders.get("base"));
  assert.equal(holderFor(["base"]), holderFor(["base"]));
});

test("impersonations that go round in a circle are refused", () => {
  assert.throws(() => create({ a: over("b"), b: over("c"), c: over("a") }), /in a circle: a → b → c → a/);
  assert.throws(() => create({ a: over("a") }), /in a circle: a → a/);
});

test("names that are not configured are refused", () => {
  assert.throws(() => create({ a: over("nobody") }), /token source nobody is not configured/);
  assert.throws(() => create({}).holderFor(["nobody"]), /token source nobody is not configured/);
  assert.throws(() => create({}).holderFor([]), RangeError);
});

test("a rule's list is a chain over the shared holders", async () => {
  const reports: RefreshReport[] = [];
  const sources = { a: variable("ABSENT"), b: variable("TOKEN") };
  const { holderFor } = create(sources, { TOKEN: "ya29.token" }, (report) => reports.push(report));
  const [first, second] = [holderFor(["a", "b"]), holderFor(["a", "b"])];
  assert.equal(first.name, "a, b");
  assert.equal((await getToken(first)).accessToken.reveal(), "ya29.token");
  assert.equal((await getToken(second)).steps[0], "passed over a: environment variable ABSENT is not set");
  assert.deepEqual(
    reports.map(({ source, error }) => [source, error?.code]),
    [
      ["a", "credential_missing"],
      ["b", undefined],
    ],
  );
});

test("a CA file that cannot be read is told with the setting's name", async () => {
  await using setUp = await setUpTokens();
  const google = { ...setUp.endpoint.google, caFile: "/no/such/ca.pem" };
  const holder = setUp.create({ subject: { type: "metadata", account: "default", timeoutMs: 1000 } }, { google });
  await assert.rejects(
    getToken(holder("subject")),
    /the CA file \/no\/such\/ca\.pem cannot be read\n.*\n.*google\.caFile/,
  );
});

test("google-auth-library and undici are imported when a token is made, not before", () => {
  const lazy = /import\("(google-auth-library|undici)"\)/;
  for (const file of ["google-mint.ts", "token-request.ts"]) {
    const text = readFileSync(new URL(`../../../src/credentials/${file}`, import.meta.url), "utf8");
    assert.match(text, lazy);
    assert.doesNotMatch(text, /^import (?!type ).*from "(google-auth-library|undici)"/m);
  }
});
