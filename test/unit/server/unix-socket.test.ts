import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ListenError } from "../../../src/server/listen-error.ts";
import { listenOnUnixSocket } from "../../../src/server/unix-socket.ts";

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "unix-socket-"));
  const servers: Server[] = [];
  t.after(() => {
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true });
  });
  const path = join(directory, "keyd.sock");
  const listen = (changes: { readonly path?: string; readonly mode?: number; readonly group?: string } = {}) => {
    const server = createServer((socket) => socket.end());
    servers.push(server);
    return listenOnUnixSocket(server, {
      kind: "unix",
      path: changes.path ?? path,
      mode: changes.mode ?? 0o600,
      group: changes.group,
      caller: undefined,
    });
  };
  return { directory, path, listen };
}

/** A process that binds `path` and is killed without a chance to clean up. */
async function leaveStaleSocket(path: string): Promise<void> {
  const code = "require('node:net').createServer().listen(process.argv[1], () => console.log('up'))";
  const child = spawn(process.execPath, ["-e", code, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}

function says(words: RegExp) {
  return (thrown: unknown) => thrown instanceof ListenError && words.test(thrown.message);
}

describe("a unix socket", () => {
  test("has the wished mode and leaves no other file behind", async (t) => {
    const { directory, path, listen } = setUp(t);
    await listen({ mode: 0o660 });
    assert.equal(lstatSync(path).mode & 0o777, 0o660);
    assert.deepEqual(readdirSync(directory), ["keyd.sock"]);
  });

  test("gets its group by number", {
    skip: process.getuid?.() !== 0 && "only root may give a file away",
  }, async (t) => {
    const { path, listen } = setUp(t);
    await listen({ group: "12345" });
    assert.equal(lstatSync(path).gid, 12_345);
  });

  test("names a group that does not exist", async (t) => {
    const { path, listen } = setUp(t);
    await assert.rejects(listen({ group: "no-such-group" }), says(/no group "no-such-group"/));
    assert.equal(existsSync(path), false);
  });

  test("makes a missing directory private", async (t) => {
    const { directory, listen } = setUp(t);
    await listen({ path: join(directory, "made/for/it/keyd.sock") });
    for (const made of ["made", "made/for", "made/for/it"]) {
      assert.equal(statSync(join(directory, made)).mode & 0o777, 0o700);
    }
  });

  test("lets others through a directory that it makes where they may open the socket, and lets them list nothing", async (t) => {
    const { directory, listen } = setUp(t);
    await listen({ path: join(directory, "made/keyd.sock"), mode: 0o660 });
    assert.equal(statSync(join(directory, "made")).mode & 0o777, 0o711);
  });

  test("leaves the mode of a directory that was there alone", async (t) => {
    const { directory, listen } = setUp(t);
    mkdirSync(join(directory, "shared"), { mode: 0o755 });
    await listen({ path: join(directory, "shared/keyd.sock") });
    assert.equal(statSync(join(directory, "shared")).mode & 0o777, 0o755);
  });

  test("replaces a stale socket", async (t) => {
    const { path, listen } = setUp(t);
    await leaveStaleSocket(path);
    await listen();
    const connection = createConnection(path);
    await once(connection, "connect");
    connection.destroy();
  });

  test("never replaces a live one, and says whose place it is", async (t) => {
    const { path, listen } = setUp(t);
    await listen();
    const { ino } = lstatSync(path);
    await assert.rejects(listen(), says(/keyd\.sock: another server is listening there/));
    assert.equal(lstatSync(path).ino, ino);
  });

  test("never removes what is not a socket", async (t) => {
    const { path, listen } = setUp(t);
    writeFileSync(path, "precious");
    await assert.rejects(listen(), says(/is not a socket/));
    assert.equal(lstatSync(path).isFile(), true);
  });

  test("is removed on exit", async (t) => {
    const { directory, listen } = setUp(t);
    const socket = await listen();
    socket.remove();
    assert.deepEqual(readdirSync(directory), []);
  });

  test("is not removed on exit when the path has become somebody else's", async (t) => {
    const { directory, path, listen } = setUp(t);
    const socket = await listen();
    renameSync(path, join(directory, "moved.sock"));
    await listen();
    socket.remove();
    assert.equal(lstatSync(path).isSocket(), true);
  });

  test("of two that start at once over a stale one, exactly one wins", async (t) => {
    const { path, listen } = setUp(t);
    await leaveStaleSocket(path);
    const outcomes = await Promise.allSettled([listen(), listen()]);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal(lstatSync(path).isSocket(), true);
  });

  test("says when its path is too long", async (t) => {
    const { directory, listen } = setUp(t);
    await assert.rejects(listen({ path: join(directory, "x".repeat(120)) }), says(/at most \d+ bytes/));
  });
});
