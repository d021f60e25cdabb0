import type { FileHandle } from "node:fs/promises";
import { type FileSystem, systemFileSystem } from "../../src/audit/file-system.ts";

/** What goes wrong with one call of the operating system: it fails, or half of it is done before it fails. */
export type Fault = { readonly code: string; readonly halfDone?: boolean } | undefined;

export type FaultyCall = "open" | "write" | "truncate" | "rename";

/** The real file system, with faults that a test chooses at each call. */
export function createFaultyFileSystem(faultAt: (call: FaultyCall) => Fault): FileSystem {
  const failing = async <T>(call: FaultyCall, work: () => Promise<T>): Promise<T> => {
    const fault = faultAt(call);
    if (fault !== undefined) throw toError(fault.code);
    return await work();
  };

  function wrap(handle: FileHandle): FileHandle {
    const changes = {
      write(buffer: Buffer, offset: number, length: number, position: null) {
        const fault = faultAt("write");
        if (fault === undefined) return handle.write(buffer, offset, length, position);
        const half = Math.floor(length / 2);
        const begun = fault.halfDone === true && half > 0 ? handle.write(buffer, offset, half, position) : undefined;
        return Promise.resolve(begun).then(() => Promise.reject(toError(fault.code)));
      },
      truncate: (length: number) => failing("truncate", () => handle.truncate(length)),
    };
    return new Proxy(handle, {
      get(target, name) {
        if (name in changes) return changes[name as keyof typeof changes];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  return {
    ...systemFileSystem,
    open: (async (path: string, flags: string | number, mode?: number) =>
      wrap(await failing("open", () => systemFileSystem.open(path, flags, mode)))) as FileSystem["open"],
    rename: (from, to) => failing("rename", () => systemFileSystem.rename(from, to)),
  };
}

function toError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: a fault of the test`), { code });
}
