import { constants, open } from "node:fs/promises";

/** The file is larger than was allowed, or no regular file. The message goes on from its name: "is not a regular file". */
export class FileRefusedError extends Error {
  override readonly name = "FileRefusedError";
  readonly reason: "irregular" | "too_large";

  constructor(reason: FileRefusedError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface BoundedFile {
  readonly bytes: Buffer;
  /** File mode bits. */
  readonly mode: number;
}

/**
 * Reads a regular file of bounded size.
 *
 * @throws FileRefusedError, or what the file system says
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<BoundedFile> {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const status = await file.stat();
  if (!status.isFile()) throw new FileRefusedError("irregular", "is not a regular file");
  // Read to one byte past the bound rather than trusting the size: the file may grow meanwhile.
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) break;
  }
  if (length > maxBytes) throw new FileRefusedError("too_large", `is larger than ${maxBytes} bytes`);
  return { bytes: buffer.subarray(0, length), mode: status.mode };
}
