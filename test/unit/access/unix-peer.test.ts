import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PeerCredentialsError, type SocketCalls } from "../../../src/access/socket-calls.ts";
import { createPeerReader } from "../../../src/access/unix-peer.ts";

/** The server's end of a connection to itself. */
async function acceptedSocket(t: TestContext, kind: "unix" | "tcp"): Promise<Socket> {
  const directory = mkdtempSync(join(tmpdir(), "peer-"));
  const server = createServer();
  server.listen(kind === "unix" ? join(directory, "s") : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  const client = typeof address === "string" ? connect(address) : connect(address?.port ?? 0, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return socket;
}

test("the kernel names the process at the other end: here this one", async (t) => {
  const proof = createPeerReader()(await acceptedSocket(t, "unix"));
  assert.deepEqual(proof, {
    kind: "unix_peer",
    uid: process.geteuid?.(),
    gid: process.getegid?.(),
    pid: process.pid,
  });
});

test("a connection of another kind, or one that is closed, is nobody's", async (t) => {
  const read = createPeerReader();
  assert.throws(() => read({} as Socket), /does not show its descriptor/);
  const tcp = await acceptedSocket(t, "tcp");
  assert.throws(() => read(tcp), PeerCredentialsError);
  const unix = await acceptedSocket(t, "unix");
  unix.destroy();
  assert.throws(() => read(unix), PeerCredentialsError);
});

const SOCKET = { _handle: { fd: 7 } } as unknown as Socket;
const answering = (pid: number, uid: number, gid: number, result = 0): SocketCalls => ({
  getsockopt(_descriptor, _level, _option, value) {
    value.set(value.length === 3 ? [pid, uid, gid] : [pid]);
    return result;
  },
  getpeereid(_descriptor, uidOut, gidOut) {
    uidOut[0] = uid;
    gidOut[0] = gid;
    return result;
  },
});

for (const platform of ["linux", "darwin"]) {
  const readWith = (calls: SocketCalls) =>
    createPeerReader({ platform, architecture: "arm64", load: () => calls })(SOCKET);

  test(`on ${platform} uid, gid and pid are told apart`, () => {
    assert.deepEqual(readWith(answering(1, 2, 3)), { kind: "unix_peer", pid: 1, uid: 2, gid: 3 });
  });

  test(`on ${platform} a call that fails, and a user that is nobody, are no proof`, () => {
    assert.throws(() => readWith(answering(1, 2, 3, -1)), /the kernel does not say who has connected/);
    assert.throws(() => readWith(answering(1, 0xffff_ffff, 3)), /the kernel does not say/);
    assert.throws(() => readWith(answering(1, 2, 0xffff_ffff)), /the kernel does not say/);
  });
}

test("a pid that macOS does not tell leaves uid and gid in force", () => {
  const calls: SocketCalls = { ...answering(0, 501, 20), getsockopt: () => -1 };
  const read = createPeerReader({ platform: "darwin", architecture: "arm64", load: () => calls });
  assert.deepEqual(read(SOCKET), { kind: "unix_peer", uid: 501, gid: 20, pid: 0 });
});

test("PowerPC has another number for SO_PEERCRED", () => {
  const options: number[] = [];
  const getsockopt: SocketCalls["getsockopt"] = (...[, , option, value]) => {
    options.push(option);
    value.set([1, 2, 3]);
    return 0;
  };
  createPeerReader({ platform: "linux", architecture: "ppc64", load: () => ({ getsockopt }) })(SOCKET);
  assert.deepEqual(options, [21]);
});

const cannotTell: readonly (readonly [platform: string, architecture: string, reason: RegExp])[] = [
  ["freebsd", "x64", /on freebsd nobody says who has connected/],
  ["linux", "mipsel", /SO_PEERCRED is not known for mipsel/],
];
for (const [platform, architecture, reason] of cannotTell) {
  test(`${platform} on ${architecture} is refused with the reason`, () => {
    const load = () => answering(1, 2, 3);
    assert.throws(() => createPeerReader({ platform, architecture, load }), reason);
  });
}
