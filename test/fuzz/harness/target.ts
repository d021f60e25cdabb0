/** A way for bytes from outside into sops-keyd, and what must hold of it whatever the bytes are. */
export interface Target {
  /** That of its folder in the corpus. */
  readonly name: string;
  /** Pieces that its format is made of, or that have a meaning somewhere: mutations put them in. */
  readonly dictionary: readonly string[];
  /** Inputs are cut to this. */
  readonly maxBytes: number;
  /** Called once in a process. */
  open(): OpenTarget | Promise<OpenTarget>;
}

export interface OpenTarget {
  /**
   * Runs the code with one input and holds what it does against what must be.
   *
   * @returns what kind of behaviour it was: inputs with a new one are kept, and mutated further
   * @throws anything, where something does not hold: that is a find
   */
  readonly run: Run;
  /** Inputs to begin with besides the corpus: what is made with keys, and big files. */
  readonly samples?: readonly Buffer[];
  close?(): PromiseLike<void>;
}

export type Run = (input: Buffer) => string | Promise<string>;

/** An input after which something did not hold. */
export class FuzzFind extends Error {
  override readonly name = "FuzzFind";
  readonly input: Buffer;

  constructor(message: string, options: ErrorOptions & { readonly input: Buffer }) {
    super(message, options);
    this.input = options.input;
  }
}
