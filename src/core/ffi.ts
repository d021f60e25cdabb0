/**
 * Node's own way to call C functions, where it has one: no native add-on, and half a millisecond. It is experimental, so
 * whoever uses it must do without it as well.
 *
 * @returns undefined where this Node.js has none
 */
export function loadFfi(): typeof import("node:ffi") | undefined {
  // Node says of an experimental module on stderr that it is one: that would stand between the lines of a JSON log.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:ffi");
  } finally {
    process.emitWarning = emitWarning;
  }
}
