import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import type { TokenSourceConfig } from "../../../../src/config/config.ts";
import { KeyServiceError } from "../../../../src/core/errors.ts";
import { Secret } from "../../../../src/core/secret.ts";
import { createTokenSources } from "../../../../src/credentials/create.ts";
import type { CustomToken } from "../../../../src/credentials/sources/custom.ts";
import { createFakeClock, settle } from "../../../fakes/clock.ts";
import { createEnvironment } from "../../../fakes/token-credentials.ts";
import { GOOGLE } from "../../../fakes/token-google.ts";
import { getError, getToken, setUpTokens, type TokenSetUp } from "../../../fakes/token-set-up.ts";

const CANARY = "canary-0a1b2c3d";
const HOUR = "Date.now() + 3600_000";

/** A module source over the given text. */
async function write(setUp: TokenSetUp, text: string, name = "source.mjs"): Promise<TokenSourceConfig> {
  const path = join(setUp.folder.path, name);
  await writeFile(path, text);
  return { type: "module", path, options: { audience: "me" } };
}

const answering = (answer: string) => `export const createTokenSource = () => ({ async fetchToken() { ${answer} } });`;

for (const name of ["source.mjs", "source.js", "source.ts"]) {
  test(`a module ${name} is loaded once, when its first token is asked for, and gets its options and our scope`, async () => {
    await using setUp = await setUpTokens();
    const type = name.endsWith(".ts") ? ": { name: string; scope: string }" : "";
    const text = `
      let loads = 0;
      export async function createTokenSource(options, context${type}) {
        loads += 1;
        let fetches = 0;
        return {
          async fetchToken(signal) {
            fetches += 1;
            const steps = [options.audience, context.name, context.scope.split("/").at(-1), loads + "/" + fetches, String(signal.aborted)];
            return { accessToken: "tok", expiresAtMs: ${HOUR}, principal: "me@example.com", steps };
          },
        };
      }`;
    if (name === "source.js") await setUp.folder.write("package.json", { type: "module" });
    const holder = setUp.create({ subject: await write(setUp, text, name) })("subject");
    const first = await getToken(holder);
    assert.deepEqual(first.steps, [`module ${name}`, "me", "subject", "cloudkms", "1/1", "false"]);
    assert.equal(first.principal, "me@example.com");
    assert.equal(first.accessToken.reveal(), "tok");
    holder.invalidate(first.generation);
    assert.equal((await getToken(holder)).steps[4], "1/2");
  });
}

const useless: readonly (readonly [what: string, text: string, code: string, message: RegExp])[] = [
  [
    "an error of its own",
    answering(`throw new Error("${CANARY}")`),
    "credential_unavailable",
    /module source\.mjs failed \(Error\)/,
  ],
  ["something else than an error", answering(`throw "${CANARY}"`), "credential_unavailable", /it threw no Error/],
  [
    "an error with one of our codes",
    answering(`throw Object.assign(new Error("${CANARY}"), { code: "credential_rejected" })`),
    "credential_rejected",
    /module source\.mjs failed/,
  ],
  [
    "an error that it made with createError",
    `export const createTokenSource = (_, context) => ({ async fetchToken() {
      throw context.createError("credential_missing", { problem: "nobody is logged in", remedy: "log in" }); } });`,
    "credential_missing",
    /^nobody is logged in\ntoken source: subject\nto do: log in$/,
  ],
  ["no token", answering("return undefined"), "credential_rejected", /it is no object/],
  [
    "a token with a line break",
    answering(`return { accessToken: "${CANARY}\\nx", expiresAtMs: ${HOUR} }`),
    "credential_rejected",
    /holds what cannot be in a token/,
  ],
  [
    "a number for a token",
    answering(`return { accessToken: 42, expiresAtMs: ${HOUR} }`),
    "credential_rejected",
    /neither text nor a Secret/,
  ],
  ["no expiry", answering(`return { accessToken: "${CANARY}" }`), "credential_rejected", /expiresAtMs is not a number/],
  [
    "an expiry that is none",
    answering(`return { accessToken: "${CANARY}", expiresAtMs: NaN }`),
    "credential_rejected",
    /without a usable expiry/,
  ],
  [
    "a principal that is no text",
    answering(`return { accessToken: "${CANARY}", expiresAtMs: ${HOUR}, principal: {} }`),
    "credential_rejected",
    /principal is not text/,
  ],
  [
    "steps that are no list",
    answering(`return { accessToken: "${CANARY}", expiresAtMs: ${HOUR}, steps: "x" }`),
    "credential_rejected",
    /steps is not a list/,
  ],
  ["no fetchToken", "export const createTokenSource = () => ({});", "credential_rejected", /has no method fetchToken/],
  ["no createTokenSource", "export const other = 1;", "credential_rejected", /does not export a function/],
  [
    "a createTokenSource that throws",
    `export const createTokenSource = () => { throw new RangeError("${CANARY}"); };`,
    "credential_rejected",
    /createTokenSource of module source\.mjs failed \(RangeError\)/,
  ],
  [
    "a syntax error",
    `export const = "${CANARY}";`,
    "credential_rejected",
    /could not be loaded \((SyntaxError|[A-Z_]+)\)/,
  ],
  [
    "an import that is not there",
    `import "no-such-package-${CANARY}";`,
    "credential_rejected",
    /could not be loaded \(ERR_MODULE_NOT_FOUND\)/,
  ],
];

for (const [what, text, code, message] of useless) {
  test(`a module with ${what} gives ${code} with the source and a remedy, and none of its text`, async () => {
    await using setUp = await setUpTokens();
    const error = await getError(setUp.create({ subject: await write(setUp, text) })("subject"));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.message, /token source: subject/);
    assert.match(error.message, /\nto do: /);
    assert.doesNotMatch(error.message, new RegExp(CANARY));
  });
}

test("a module that is not there is no credential, so that a chain goes on, and is used once it is there", async () => {
  await using setUp = await setUpTokens();
  const clock = createFakeClock({ startMs: Date.now() });
  const path = join(setUp.folder.path, "source.mjs");
  const holder = setUp.create({ subject: { type: "module", path, options: {} } }, { clock })("subject");
  const error = await getError(holder);
  assert.equal(error.code, "credential_missing");
  assert.match(error.message, /there is no module /);
  await writeFile(path, answering(`return { accessToken: "tok", expiresAtMs: ${HOUR} }`));
  clock.advance(6000);
  assert.equal((await getToken(holder)).accessToken.reveal(), "tok");
});

test("a module that is still being loaded at the deadline holds up nobody for longer, and is told when to give up", async () => {
  await using setUp = await setUpTokens();
  const clock = createFakeClock({ startMs: Date.now() });
  const text = "export const createTokenSource = () => new Promise(() => {});";
  const outcome = getError(setUp.create({ subject: await write(setUp, text) }, { clock })("subject"));
  await clock.pass(10_000);
  assert.match((await outcome).message, /no token came within 10 seconds/);
  const waiting = answering("return new Promise(() => {})");
  const held = getError(setUp.create({ subject: await write(setUp, waiting, "other.mjs") }, { clock })("subject"));
  await clock.pass(10_000);
  assert.match((await held).message, /no token came within 10 seconds/);
  await settle();
  assert.equal(clock.pendingTimers, 0);
});

test("an embedded source takes the place of the configured one, a token for each scope, and is checked as well", async () => {
  const scopes: string[] = [];
  let answer: CustomToken = { accessToken: new Secret("tok"), expiresAtMs: Date.now() + 3_600_000 };
  const custom = new Map([
    [
      "own",
      (context: { scope: string }) => {
        scopes.push(context.scope.split("/").at(-1) ?? "");
        return { fetchToken: async () => answer };
      },
    ],
  ]);
  const tokenSources = new Map<string, TokenSourceConfig>([
    ["own", { type: "default" }],
    [
      "above",
      {
        type: "impersonated_service_account",
        source: "own",
        target: "a@p.iam.gserviceaccount.com",
        delegates: [],
        lifetimeMs: 60_000,
      },
    ],
  ]);
  const { holderFor } = createTokenSources(
    { tokenSources, google: GOOGLE },
    createEnvironment(),
    createFakeClock({ startMs: Date.now() }),
    () => {},
    { custom },
  );
  const token = await getToken(holderFor(["own"]));
  assert.equal(token.accessToken.reveal(), "tok");
  assert.deepEqual(token.steps, ["the embedded source"]);
  assert.deepEqual(scopes, ["cloudkms", "iam"]);
  answer = { ...answer, accessToken: `${CANARY}\n` };
  holderFor(["own"]).invalidate(token.generation);
  const error = await getError(holderFor(["own"]));
  assert.ok(error instanceof KeyServiceError);
  assert.match(error.message, /the embedded source answered with a token that cannot be used/);
  assert.doesNotMatch(inspect(error, { depth: 9 }), new RegExp(CANARY));
});
