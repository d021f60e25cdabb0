import { constants, open } from "node:fs/promises";

/** Longer than was allowed, or no regular file. */
export class FileRefusedError extends Error {
  override readonly name = "FileRefusedError";
}

/**
 * The text of a regular file of bounded size.
 *
 * @throws FileRefusedError, or what the file system says
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<string> {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) throw new FileRefusedError("it is not a regular file");
  // Read to one byte past the bound rather than trusting the size: the file may grow meanwhile.
  const buffer = Buffer.alloc(maxBytes + 1);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes, bytes);
    bytes += bytesRead;
    if (bytesRead === 0 || bytes === buffer.length) break;
  }
  if (bytes > maxBytes) throw new FileRefusedError(`it is longer than ${maxBytes} bytes`);
  return buffer.toString("utf8", 0, bytes);
}
