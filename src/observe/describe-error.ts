// Line breaks forge lines, ESC drives terminals, the rest (C0, C1, line and bidi marks) hides what follows.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** One line that does to a terminal nothing but print. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    if (character === "\t") return "\\t";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

const MAX_CAUSES = 4;
const MAX_AGGREGATED = 3;

/**
 * Name and message of an error, of what caused it, and of the first that it adds up. No stack, no other property: those
 * may hold anything.
 */
export function describeError(cause: unknown): string {
  const parts: string[] = [];
  let current = cause;
  while (current !== undefined && current !== null && parts.length <= MAX_CAUSES) {
    parts.push(oneError(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.length === 0 ? "unknown error" : parts.join(", because of ");
}

function oneError(error: unknown): string {
  const said = nameAndMessage(error);
  if (!(error instanceof AggregateError)) return said;
  const first = error.errors.slice(0, MAX_AGGREGATED).map((each: unknown) => nameAndMessage(each));
  return `${said} (${error.errors.length} errors: ${first.join("; ")})`;
}

function nameAndMessage(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `thrown ${typeof error}`;
}
