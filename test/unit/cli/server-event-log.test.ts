import assert from "node:assert/strict";
import { test } from "node:test";
import { createServerEventLog } from "../../../src/cli/server-event-log.ts";
import type { Log } from "../../../src/telemetry/log.ts";
import { createFakeClock } from "../../fakes/clock.ts";

function setUp() {
  const lines: string[] = [];
  const notes: string[] = [];
  const write =
    (level: string): Log["info"] =>
    (message) =>
      lines.push(`${level} ${message}`);
  const log: Log = { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
  const clock = createFakeClock();
  const note = (event: object) => notes.push("problem" in event ? String(event.problem) : "");
  const report = createServerEventLog(log, note, clock);
  const refuse = (reason = "no TLS") =>
    report({ kind: "connection_refused", listener: "tcp://[::]:1", peer: "10.0.0.9:4711", reason });
  return { lines, notes, clock, report, refuse };
}

test("a refused connection is in the log and on record, on one line", () => {
  const { lines, notes, refuse } = setUp();
  refuse("a\nb");
  assert.deepEqual(lines, ["warn connection refused: a?b"]);
  assert.deepEqual(notes, ["10.0.0.9:4711: a?b"]);
});

test("a flood of refused connections is counted, and told in one line when its minute is over", () => {
  const { lines, notes, clock, refuse } = setUp();
  for (let n = 0; n < 1_000; n++) refuse();
  assert.equal(lines.length, 20);
  clock.advance(60_000);
  refuse();
  assert.deepEqual(lines.slice(20), [
    "warn connection refused: 980 more in the last minute or before",
    "warn connection refused: no TLS",
  ]);
  assert.equal(notes.length, 22);
});

test("what becomes of tls files has the level that it matters with", () => {
  const { lines, report } = setUp();
  const [listener, notAfterMs] = ["tcp://[::]:1", Date.UTC(2026, 0, 2)];
  report({ kind: "certificate_taken", listener, notAfterMs, clientCaChanged: true });
  report({ kind: "certificate_rejected", listener, problem: "/tls.key: holds no private key in PEM" });
  report({ kind: "certificate_ending", listener, notAfterMs, expired: false });
  report({ kind: "certificate_ending", listener, notAfterMs, expired: true });
  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    ["info", "error", "warn", "error"],
  );
  assert.match(lines[0] ?? "", /valid until 2026-01-02T00:00:00\.000Z; open connections are asked to end/);
  assert.match(lines[1] ?? "", /the old ones stay: \/tls\.key/);
});
