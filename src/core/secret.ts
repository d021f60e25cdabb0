const REDACTED = "[redacted]";

/**
 * Text that must not be shown. Template strings, JSON, `console` and winston all get `[redacted]`; only
 * {@link reveal} gives the text (a private field is not enumerated, not even by `util.inspect`), so that a search for that word finds every place where it can leave.
 *
 * JavaScript strings cannot be wiped: this guards against showing, not against reading this process's memory.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }
}
