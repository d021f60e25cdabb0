/** ◆ 0 done, 1 the operation failed, 2 usage or config. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Ends a command with a sentence for the user instead of a stack trace. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { readonly exitCode: number }) {
    super(message, options);
    this.exitCode = options.exitCode;
  }
}
