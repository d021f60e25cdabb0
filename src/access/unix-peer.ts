import type { Socket } from "node:net";
import type { UnixPeerProof } from "./caller.ts";
import { loadSocketCalls, PeerCredentialsError, type SocketCalls } from "./socket-calls.ts";

/** Asks the kernel who has connected. @throws PeerCredentialsError where it does not say */
export type ReadPeer = (socket: Socket) => UnixPeerProof;

/** What it depends on, so that tests can be on another system than they run on. */
export interface PeerSystem {
  readonly platform: string;
  readonly architecture: string;
  readonly load: () => SocketCalls;
}

const THIS_SYSTEM: PeerSystem = {
  platform: process.platform,
  architecture: process.arch,
  load: () => loadSocketCalls(process.platform),
};

/**
 * How the process at the other end of a unix socket is found out here. What the kernel says is what that process was
 * when it connected, whoever has the connection afterwards.
 *
 * @throws PeerCredentialsError where this system cannot tell, with the reason
 */
export function createPeerReader(system: PeerSystem = THIS_SYSTEM): ReadPeer {
  switch (system.platform) {
    case "linux":
      return createLinuxReader(system);
    case "darwin":
      return createMacReader(system.load());
    default:
      throw new PeerCredentialsError(`on ${system.platform} nobody says who has connected to a unix socket`);
  }
}

/** asm-generic/socket.h, and asm/socket.h of PowerPC. Others number differently, and a wrong one answers as well. */
const LINUX_SO_PEERCRED: Readonly<Record<string, number>> = {
  x64: 17,
  arm64: 17,
  arm: 17,
  ia32: 17,
  s390x: 17,
  riscv64: 17,
  loong64: 17,
  ppc64: 21,
};
const LINUX_SOL_SOCKET = 1;
/** What the kernel says of what is no unix socket. */
const NOBODY = 0xffff_ffff;

function createLinuxReader({ architecture, load }: PeerSystem): ReadPeer {
  const option = LINUX_SO_PEERCRED[architecture];
  if (option === undefined) throw new PeerCredentialsError(`SO_PEERCRED is not known for ${architecture}`);
  const { getsockopt } = load();
  return (socket) => {
    // struct ucred: pid, uid, gid, each of 32 bits.
    const ucred = new Uint32Array(3);
    const length = new Uint32Array([ucred.byteLength]);
    const result = getsockopt(descriptorOf(socket), LINUX_SOL_SOCKET, option, ucred, length);
    const [pid = 0, uid = NOBODY, gid = NOBODY] = ucred;
    if (result !== 0 || length[0] !== ucred.byteLength || uid === NOBODY || gid === NOBODY) throw unknownPeer();
    return { kind: "unix_peer", uid, gid, pid };
  };
}

/** sys/un.h of macOS. */
const MAC_SOL_LOCAL = 0;
const MAC_LOCAL_PEERPID = 2;

function createMacReader({ getsockopt, getpeereid }: SocketCalls): ReadPeer {
  if (getpeereid === undefined) throw new PeerCredentialsError("this system has no getpeereid");
  return (socket) => {
    const descriptor = descriptorOf(socket);
    const [uid, gid, pid] = [new Uint32Array([NOBODY]), new Uint32Array([NOBODY]), new Uint32Array(1)];
    if (getpeereid(descriptor, uid, gid) !== 0 || uid[0] === NOBODY || gid[0] === NOBODY) throw unknownPeer();
    // Nothing depends on the pid: 0 where it is not told.
    getsockopt(descriptor, MAC_SOL_LOCAL, MAC_LOCAL_PEERPID, pid, new Uint32Array([pid.byteLength]));
    return { kind: "unix_peer", uid: uid[0] ?? NOBODY, gid: gid[0] ?? NOBODY, pid: pid[0] ?? 0 };
  };
}

function unknownPeer(): PeerCredentialsError {
  return new PeerCredentialsError("the kernel does not say who has connected");
}

/**
 * Node has no public way to a socket's descriptor. `_handle.fd` has been there since Node 0.x; should it go, nobody is
 * known any more, rather than taken for somebody.
 */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const descriptor: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof descriptor === "number" && Number.isInteger(descriptor) && descriptor >= 0) return descriptor;
  throw new PeerCredentialsError("the connection is closed, or this Node.js does not show its descriptor");
}
