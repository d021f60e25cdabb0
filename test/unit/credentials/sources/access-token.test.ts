import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { createFakeClock } from "../../../fakes/clock.ts";
import { getError, getToken, setUpTokens } from "../../../fakes/token-set-up.ts";

test("a token is taken to live for a minute, and what replaces it in the file is used in time", async () => {
  await using setUp = await setUpTokens();
  const clock = createFakeClock();
  const token = await setUp.folder.write("token", "  ya29.first\n");
  const holder = setUp.create({ subject: { type: "access_token", token } }, { clock })("subject");
  const first = await getToken(holder);
  assert.equal(first.accessToken.reveal(), "ya29.first");
  assert.equal(first.expiresAtMs, clock.nowMs() + 60_000);
  assert.equal(first.principal, undefined);
  assert.deepEqual(first.steps, [`access token from file ${token.path}`]);
  await writeFile(token.path, "ya29.second");
  assert.equal((await getToken(holder)).accessToken.reveal(), "ya29.first");
  clock.advance(60_000);
  assert.equal((await getToken(holder)).accessToken.reveal(), "ya29.second");
});

test("what could not stand in a header is refused and not shown", async () => {
  await using setUp = await setUpTokens();
  for (const content of [
    "",
    " \n",
    "canary two words",
    "canary\r\nx-injected: 1",
    "canary-é",
    '{"access_token": "canary"}',
  ]) {
    const token = await setUp.folder.write("token", content);
    const error = await getError(setUp.create({ subject: { type: "access_token", token } })("subject"));
    assert.equal(error.code, "credential_rejected");
    assert.match(error.message, /does not hold an access token/);
    assert.doesNotMatch(error.message, /canary/);
  }
});
