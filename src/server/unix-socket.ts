import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import type { Server } from "node:net";
import { basename, dirname, join } from "node:path";
import type { UnixListenerConfig } from "../config/config.ts";
import { isListenedOn } from "../core/live-socket.ts";
import { LISTEN_BACKLOG } from "./backlog.ts";
import { groupId } from "./group-id.ts";
import { ListenError } from "./listen-error.ts";

/** `sun_path` without its final NUL: 108 bytes on Linux, 104 on macOS. */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/** How many sockets this process has bound, so that each has a private name of its own. */
let bound = 0;

/** A socket that is bound and published; `remove` takes the path away if it is still ours. */
export interface UnixSocket {
  remove(): void;
}

/**
 * Listens on `config.path` so that nobody ever meets the socket with wider permissions than wished, a live one is
 * never replaced, and nothing but a stale socket is ever removed.
 *
 * The socket is bound under a private name beside its path, given its group and mode, and then linked to its path,
 * which fails if somebody else was faster. The private name also keeps libuv, which unlinks the name it has bound
 * when it closes, away from a path that may have become another server's.
 *
 * @throws ListenError
 */
export async function listenOnUnixSocket(server: Server, config: UnixListenerConfig): Promise<UnixSocket> {
  const { path } = config;
  const directory = dirname(path);
  bound += 1;
  const privateName = join(directory, `.keyd-${process.pid.toString(36)}-${bound}`);
  if (Buffer.byteLength(path) > MAX_PATH_BYTES || Buffer.byteLength(privateName) > MAX_PATH_BYTES) {
    throw new ListenError(`${path}: a unix socket's path has at most ${MAX_PATH_BYTES} bytes on this system`);
  }
  // Directories that are missing are made no more open than the socket; one that is there is the operator's own.
  const directoryMode = (config.mode & 0o066) === 0 ? 0o700 : 0o711;
  attempt(path, () => mkdirSync(directory, { recursive: true, mode: directoryMode }));
  await clearStale(path);
  await bindPrivately(server, privateName, path);
  try {
    return attempt(path, () => publish(privateName, config));
  } catch (thrown) {
    server.close();
    throw thrown;
  }
}

/** Removes a socket that nobody listens on. Anything else at `path` is an error that names it. */
async function clearStale(path: string): Promise<void> {
  const found = attempt(path, () => lstatSync(path, { throwIfNoEntry: false }));
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new ListenError(`${path} is there and is not a socket; move it away or choose another address`);
  }
  if (await isLive(path)) {
    throw new ListenError(`${path}: another server is listening there; end it or choose another address`);
  }
  attempt(path, () => {
    if (sameFile(lstatSync(path, { throwIfNoEntry: false }), found)) unlinkSync(path);
  });
}

async function isLive(path: string): Promise<boolean> {
  try {
    return await isListenedOn(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new ListenError(`${path}: can't tell whether a server is listening there (${code})`, { cause });
  }
}

async function bindPrivately(server: Server, privateName: string, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException) => reject(new ListenError(`${path}: ${error.code}`, { cause: error }));
  server.once("error", onError);
  rmSync(privateName, { force: true });
  // Node binds before `listen` returns, so the umask of the whole process is changed for no other code.
  const umask = process.umask(0o177);
  try {
    server.listen({ path: privateName, backlog: LISTEN_BACKLOG }, resolve);
  } finally {
    process.umask(umask);
  }
  await promise.finally(() => server.off("error", onError));
}

function publish(privateName: string, config: UnixListenerConfig): UnixSocket {
  const { path } = config;
  if (config.group !== undefined) chownSync(privateName, -1, groupId(config.group));
  chmodSync(privateName, config.mode);
  const ours = lstatSync(privateName);
  try {
    linkSync(privateName, path);
    unlinkSync(privateName);
  } catch (thrown) {
    publishWithoutLinks(privateName, path, thrown as NodeJS.ErrnoException);
  }
  return {
    remove() {
      if (sameFile(lstatSync(path, { throwIfNoEntry: false }), ours)) unlinkSync(path);
    },
  };
}

/** Some file systems have no hard links (or none of sockets). */
function publishWithoutLinks(privateName: string, path: string, cause: NodeJS.ErrnoException): void {
  if (cause.code === "EEXIST") {
    throw new ListenError(`${path}: another server has just started there; end it or choose another address`, {
      cause,
    });
  }
  renameSync(privateName, path);
}

/** Inode numbers are used again, so the time of birth is compared as well. */
function sameFile(one: Stats | undefined, other: Stats): boolean {
  return one?.ino === other.ino && one.dev === other.dev && one.birthtimeMs === other.birthtimeMs;
}

/** `work`, its system errors told with the path that the user knows. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof ListenError) throw thrown;
    const { code, syscall } = thrown as NodeJS.ErrnoException;
    throw new ListenError(`${path}: can't listen there (${syscall ?? basename(path)}: ${code ?? "failed"})`, {
      cause: thrown,
    });
  }
}
