/**
 * The second line of defence: records are typed and hold no secret, but an upstream's words or an error's message may.
 * Whatever looks like a credential is replaced whole.
 */
const CREDENTIALS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/gu, "[redacted]"],
  [/sk-ant-[\w-]{2,}/giu, "[redacted]"],
  [/bccf_\w{2,}/giu, "[redacted]"],
  [/\b(bearer|basic)[\s:=]+[\w.~+/=-]{4,}/giu, "$1 [redacted]"],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}\.?[\w-]*/gu, "[redacted]"],
  [/(:\/\/[^\s:/@]{0,200}:)[^\s/@]{1,400}@/gu, "$1[redacted]@"],
  [
    /((?:api[_-]?key|authorization|cookie|password|secret|token)["']?\s{0,8}[:=]\s{0,8}["']?)[^\s"',;&}[]{4,}/giu,
    "$1[redacted]",
  ],
];

// Line breaks forge lines, ESC drives terminals, the rest (C0, C1, line and bidi marks) hides what follows.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

export function redact(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of CREDENTIALS) clean = clean.replaceAll(pattern, replacement);
  return clean;
}

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

/** Name and message of an error and of what caused it. No stack, no other property: those may hold anything. */
export function describeError(cause: unknown): string {
  const parts: string[] = [];
  let current = cause;
  while (current !== undefined && current !== null && parts.length <= MAX_CAUSES) {
    parts.push(current instanceof Error ? `${current.name}: ${current.message}` : `thrown ${typeof current}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.length === 0 ? "unknown error" : parts.join(", because of ");
}
