/**
 * A token, key or password. It renders as its label everywhere (string, JSON, inspect), so that a log line,
 * an error or a row can never carry the text by accident.
 */
export class Secret {
  readonly #text: string;
  readonly label: string;

  constructor(label: string, text: string) {
    this.label = label;
    this.#text = text;
  }

  /** The only way out. May be called in `upstream/` and `keyring/` alone (`tools/check-reveal.ts`). */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return `[secret ${this.label}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
