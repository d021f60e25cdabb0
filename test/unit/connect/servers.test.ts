import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { RemoteOutcome } from "../../../src/connect/remote-server.ts";
import { createServers } from "../../../src/connect/servers.ts";
import { KeyServiceError } from "../../../src/core/errors.ts";
import { createFakeClock } from "../../fakes/clock.ts";
import { createFakeRemoteServer } from "../../fakes/remote-server.ts";
import { createFakeTokenHolder } from "../../fakes/token-holder.ts";

const ANSWER: RemoteOutcome = { kind: "answered", response: Buffer.from("answer") };
const DOWN: RemoteOutcome = { kind: "unreachable", reason: "connect ECONNREFUSED" };
const refusal = (code: status, details = "no"): RemoteOutcome => ({ kind: "refused", code, details });

function setUp(outcomes: readonly (RemoteOutcome | "hang")[], tokens?: ReturnType<typeof createFakeTokenHolder>) {
  const clock = createFakeClock();
  const servers = outcomes.map((outcome, index) => createFakeRemoteServer(`tls://server-${index + 1}:1`, outcome));
  const ask = () =>
    createdServers.ask(
      { path: "/KeyService/Decrypt", request: Buffer.from("request"), deadlineAtMs: clock.nowMs() + 15_000 },
      new AbortController().signal,
    );
  const createdServers = createServers({ servers, tokens, clock });
  return { servers, ask, clock, askedEach: () => servers.map(({ asked }) => asked.length) };
}

describe("several servers", () => {
  test("are asked in their order, and only as far as needed", async () => {
    const { ask, askedEach } = setUp([ANSWER, ANSWER]);
    assert.deepEqual(await ask(), { ...ANSWER, server: "tls://server-1:1" });
    assert.deepEqual(askedEach(), [1, 0]);
  });

  test("stand in for one that cannot be reached, and the one that answered is asked first from then on", async () => {
    const { ask, askedEach } = setUp([DOWN, ANSWER]);
    for (const turn of [1, 2, 3]) {
      assert.equal((await ask()).server, "tls://server-2:1");
      assert.deepEqual(askedEach(), [1, turn]);
    }
  });

  test("are gone round: the first is asked again once the one in use fails", async () => {
    const { ask, servers } = setUp([DOWN, ANSWER]);
    await ask();
    servers[0]?.says(ANSWER);
    servers[1]?.says(DOWN);
    assert.equal((await ask()).server, "tls://server-1:1");
  });

  for (const code of [status.UNAVAILABLE, status.DEADLINE_EXCEEDED]) {
    test(`stand in for one that says ${status[code]}`, async () => {
      const { ask } = setUp([refusal(code), ANSWER]);
      assert.equal((await ask()).server, "tls://server-2:1");
    });
  }

  for (const code of [status.PERMISSION_DENIED, status.NOT_FOUND, status.DATA_LOSS, status.INVALID_ARGUMENT]) {
    test(`are not asked for another opinion after ${status[code]}`, async () => {
      const { ask, askedEach } = setUp([refusal(code, "the server's own words"), ANSWER]);
      assert.deepEqual(await ask(), { ...refusal(code, "the server's own words"), server: "tls://server-1:1" });
      assert.deepEqual(askedEach(), [1, 0]);
    });
  }

  test("are named with their reasons where none can be reached", async () => {
    const { ask } = setUp([DOWN, { kind: "unreachable", reason: "certificate has expired" }]);
    await assert.rejects(ask(), (thrown: unknown) => {
      assert.ok(thrown instanceof KeyServiceError);
      assert.equal(thrown.code, "server_unreachable");
      assert.match(
        thrown.message,
        /server-1:1: connect ECONNREFUSED; tls:\/\/server-2:1: certificate has expired\nto do:/,
      );
      return true;
    });
  });

  test("leave the word to the one that spoke, where the others could not be reached", async () => {
    const { ask } = setUp([refusal(status.UNAVAILABLE, "Cloud KMS is down"), DOWN]);
    assert.deepEqual(await ask(), {
      ...refusal(status.UNAVAILABLE, "Cloud KMS is down"),
      server: "tls://server-1:1",
    });
  });

  test("share the time: the last has all that is left, the others two thirds of it", async () => {
    const { ask, servers, clock } = setUp([DOWN, ANSWER]);
    await ask();
    const left = servers.map(({ asked }) => (asked[0]?.call.deadlineAtMs ?? 0) - clock.nowMs());
    assert.deepEqual(left, [10_000, 15_000]);
  });
});

describe("an identity token", () => {
  test("goes along with each call", async () => {
    const { ask, servers } = setUp([ANSWER], createFakeTokenHolder());
    await ask();
    assert.deepEqual(servers[0]?.asked[0]?.token, "token-1");
  });

  test("that is refused is looked for again, once", async () => {
    const { ask, servers } = setUp([refusal(status.UNAUTHENTICATED, "expired")], createFakeTokenHolder());
    assert.equal((await ask()).kind, "refused");
    assert.deepEqual(
      servers[0]?.asked.map(({ token }) => token),
      ["token-1", "token-2"],
    );
  });

  test("that is the same when it is looked for again is not shown twice", async () => {
    const { ask, servers } = setUp([refusal(status.UNAUTHENTICATED)], {
      ...createFakeTokenHolder(),
      invalidate() {},
    });
    assert.equal((await ask()).kind, "refused");
    assert.equal(servers[0]?.asked.length, 1);
  });
});
