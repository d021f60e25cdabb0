import { loadFfi } from "../core/ffi.ts";

/** The kernel, or this Node.js, cannot say who is at the other end of a unix socket. */
export class PeerCredentialsError extends Error {
  override readonly name = "PeerCredentialsError";
}

/** Calls of the C library. Each returns 0 where it went well. */
export interface SocketCalls {
  getsockopt(descriptor: number, level: number, option: number, value: Uint32Array, length: Uint32Array): number;
  /** macOS and the BSDs. */
  getpeereid?(descriptor: number, uid: Uint32Array, gid: Uint32Array): number;
}

const GETSOCKOPT = { arguments: ["i32", "i32", "i32", "buffer", "buffer"], return: "i32" } as const;
const GETPEEREID = { arguments: ["i32", "buffer", "buffer"], return: "i32" } as const;

/**
 * The C library of this process, by `node:ffi`: no native add-on, and half a millisecond. Only for whoever needs it:
 * the module is experimental.
 *
 * @throws PeerCredentialsError where this Node.js cannot call it, with the reason
 */
export function loadSocketCalls(platform: string): SocketCalls {
  const ffi = loadFfi();
  if (ffi === undefined) {
    throw new PeerCredentialsError("this Node.js has no node:ffi; use 26.10 or newer, without --no-experimental-ffi");
  }
  try {
    // null is this process itself, which has the C library whatever its file is called.
    const { getsockopt } = ffi.dlopen(null, { getsockopt: GETSOCKOPT }).functions;
    if (platform !== "darwin") return { getsockopt };
    const { getpeereid } = ffi.dlopen(null, { getpeereid: GETPEEREID }).functions;
    return { getsockopt, getpeereid };
  } catch (thrown) {
    throw new PeerCredentialsError(describe(thrown), { cause: thrown });
  }
}

function describe(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "ERR_ACCESS_DENIED")
    return "Node.js runs with --permission, and may not call C functions (any more); start anew";
  return `node:ffi does not find getsockopt${code === "" ? "" : ` (${code})`}`;
}
