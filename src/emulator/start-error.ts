/** The emulator cannot start; its message is for the person who started it. */
export class EmulatorStartError extends Error {
  override readonly name = "EmulatorStartError";
}
