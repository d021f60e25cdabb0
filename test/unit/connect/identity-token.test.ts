import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createFindJwt, parseJwtPlace } from "../../../src/connect/find-jwt.ts";
import { createIdentityTokenSource } from "../../../src/connect/identity-token.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createFakeClock, type FakeClock } from "../../fakes/clock.ts";

const SIGNAL = new AbortController().signal;

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256", typ: "JWT" })}.${part({ iss: "https://ci.example.com", ...claims })}.c2ln`;
}

function inSeconds(clock: FakeClock, seconds: number): number {
  return Math.floor(clock.nowMs() / 1_000) + seconds;
}

function sourceOf(where: string, clock: FakeClock, variables: Readonly<Record<string, string>> = {}) {
  const place = parseJwtPlace(where);
  assert.ok(typeof place !== "string", String(place));
  const environment = { get: (name: string) => variables[name] };
  return createIdentityTokenSource(createFindJwt(place, { environment, clock, warn() {} }), clock);
}

function codeIs(code: string, words: RegExp, hidden = "") {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof KeyServiceError);
    assert.equal(thrown.code, code);
    assert.match(thrown.message, words);
    if (hidden !== "") assert.ok(!thrown.message.includes(hidden));
    return true;
  };
}

function temporaryFile(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "jwt-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "token");
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

describe("an identity token", () => {
  test("comes from a file, is read again each time, and lives as long as it says", async (t) => {
    const clock = createFakeClock();
    const first = jwt({ exp: inSeconds(clock, 600) });
    const file = temporaryFile(t, `${first}\n`);
    const source = sourceOf(`file:${file}`, clock);
    const token = await source.fetchToken(SIGNAL);
    assert.equal(token.accessToken.reveal(), first);
    assert.equal(token.expiresAtMs, inSeconds(clock, 600) * 1_000);
    const second = jwt({ exp: inSeconds(clock, 900) });
    writeFileSync(file, second);
    assert.equal((await source.fetchToken(SIGNAL)).accessToken.reveal(), second);
  });

  test("comes from a variable; gitlab is one with a name that is agreed on", async () => {
    const clock = createFakeClock();
    const token = jwt({ exp: inSeconds(clock, 60) });
    for (const where of ["env:SOPS_KEYD_ID_TOKEN", "gitlab"]) {
      const found = await sourceOf(where, clock, { SOPS_KEYD_ID_TOKEN: token }).fetchToken(SIGNAL);
      assert.equal(found.accessToken.reveal(), token);
    }
  });

  test("comes from a program", async () => {
    const clock = createFakeClock();
    const token = jwt({ exp: inSeconds(clock, 60) });
    const found = await sourceOf(`exec:echo  ${token}`, clock).fetchToken(SIGNAL);
    assert.equal(found.accessToken.reveal(), token);
    assert.deepEqual(found.steps, ["identity token of command echo"]);
    await assert.rejects(
      sourceOf("exec:false", clock).fetchToken(SIGNAL),
      codeIs("credential_unavailable", /ended with 1/),
    );
    await assert.rejects(
      sourceOf("exec:/no/such/program", clock).fetchToken(SIGNAL),
      codeIs("credential_rejected", /command \/no\/such\/program could not be run/),
    );
  });

  test("comes from GitHub's endpoint, which is asked for the audience with the job's own token", async (t) => {
    const clock = createFakeClock();
    const token = jwt({ exp: inSeconds(clock, 300) });
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      response.end(JSON.stringify({ count: 1, value: token }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close().closeAllConnections());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token?api-version=2`;
    const variables = { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "job" };
    const found = await sourceOf("github:keys", clock, variables).fetchToken(SIGNAL);
    assert.equal(found.accessToken.reveal(), token);
    assert.equal(requests[0]?.url, "/token?api-version=2&audience=keys");
    assert.equal(requests[0]?.headers.authorization, "Bearer job");
    await assert.rejects(sourceOf("github", clock).fetchToken(SIGNAL), codeIs("credential_missing", /id-token: write/));
  });

  test("that is not where it should be is told with the flag that names another place", async () => {
    const clock = createFakeClock();
    for (const [where, words] of [
      ["file:/nowhere/token", /no identity token at \/nowhere\/token.*--jwt/s],
      ["gitlab", /SOPS_KEYD_ID_TOKEN, which should hold the identity token, is not set.*--jwt/s],
    ] as const) {
      await assert.rejects(sourceOf(where, clock).fetchToken(SIGNAL), codeIs("credential_missing", words));
    }
  });

  test("that expires at no time that there is cannot be used", async () => {
    const clock = createFakeClock();
    for (const exp of [-1e300, 1e300, 1e308]) {
      await assert.rejects(
        sourceOf("env:T", clock, { T: jwt({ exp }) }).fetchToken(SIGNAL),
        codeIs("credential_rejected", /cannot be used: its exp is no time/),
      );
    }
  });

  test("that has expired is not shown, and its place and time are told", async (t) => {
    const clock = createFakeClock();
    const file = temporaryFile(t, jwt({ exp: inSeconds(clock, 0) }));
    await assert.rejects(
      sourceOf(`file:${file}`, clock).fetchToken(SIGNAL),
      codeIs("credential_rejected", /the identity token of file .*token expired at 2026-01-01T00:00:00.000Z/),
    );
  });

  test("that does not say when it ends is looked for again after a minute", async () => {
    const clock = createFakeClock();
    const { expiresAtMs } = await sourceOf("env:T", clock, { T: jwt({}) }).fetchToken(SIGNAL);
    assert.equal(expiresAtMs, clock.nowMs() + 60_000);
  });

  test("that is none is refused without showing it", async () => {
    const canary = "CANARY-not-a-jwt";
    await assert.rejects(
      sourceOf("env:T", createFakeClock(), { T: canary }).fetchToken(SIGNAL),
      codeIs("credential_rejected", /cannot be used: it is not a signed JWT/, canary),
    );
  });
});

describe("the place of an identity token", () => {
  test("is a file of its own for Kubernetes", () => {
    assert.deepEqual(parseJwtPlace("kubernetes"), { kind: "file", path: "/var/run/secrets/sops-keyd/token" });
    assert.deepEqual(parseJwtPlace("kubernetes:/t"), { kind: "file", path: "/t" });
  });

  for (const text of ["", "file:", "env:", "env:a b", "exec:", "exec:  ", "toString", "eyJhbGciOi.e30.c2ln"]) {
    test(`is refused as ${JSON.stringify(text)}, which is not repeated`, () => {
      const refused = parseJwtPlace(text);
      assert.equal(typeof refused, "string");
      assert.match(String(refused), /^expected /);
      if (text.length > 10) assert.ok(!String(refused).includes(text));
    });
  }
});
