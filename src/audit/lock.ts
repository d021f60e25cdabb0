import { existsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { isListenedOn } from "../core/live-socket.ts";
import { codeOf } from "./file-system.ts";
import { AuditOpenError } from "./open-error.ts";

/** Holds others off a log: two servers that write to one file would tear its chain. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * A lock that no crash leaves behind: a socket that is listened on. One that nobody listens on is stale and removed.
 * Unlike a process id in a file it also holds between containers that share the directory.
 *
 * @throws AuditOpenError where another process has it
 */
export async function acquireLock(path: string, file: string): Promise<Lock> {
  const server = await tryListen(path, file);
  if (server !== undefined) return lockOf(server);
  if (await isAlive(path)) {
    throw new AuditOpenError(
      `the audit log ${file} is being written by another sops-keyd; give each server, and each exec, a file of its own`,
    );
  }
  await unlink(path).catch(() => {});
  const second = await tryListen(path, file);
  if (second !== undefined) return lockOf(second);
  throw new AuditOpenError(
    `the audit log ${file} was taken by another sops-keyd just now; give each a file of its own`,
  );
}

function lockOf(server: Server): Lock {
  server.unref();
  return {
    release() {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Closing removes the socket's file as well.
      server.close(() => resolve());
      return promise;
    },
  };
}

/** Undefined where there is a socket already. */
function tryListen(path: string, file: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  const server = createServer((socket) => socket.destroy());
  server.once("error", (error) => {
    if (codeOf(error) === "EADDRINUSE") resolve(undefined);
    else
      reject(new AuditOpenError(`the audit log ${file} cannot be locked: ${describe(error, path)}`, { cause: error }));
  });
  server.listen(path, () => resolve(server));
  return promise;
}

/** Who cannot be told from one that is alive is left alone. */
function isAlive(path: string): Promise<boolean> {
  return isListenedOn(path).catch(() => true);
}

function describe(error: unknown, path: string): string {
  // libuv says EACCES where a socket's directory is missing.
  switch (existsSync(dirname(path)) ? codeOf(error) : "ENOENT") {
    case "ENOENT":
    case "ENOTDIR":
      return `there is no directory ${dirname(path)}; make it, for the user that runs sops-keyd alone`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "its directory cannot be written to; let the user that runs sops-keyd do so";
    case "EINVAL":
    case "ENAMETOOLONG":
      return "its path is too long; 95 bytes are enough everywhere";
    default:
      return codeOf(error);
  }
}
