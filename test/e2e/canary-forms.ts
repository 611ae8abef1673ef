/**
 * The forms in which a secret may have been written down: as it is, in UTF-16, as base64 (three offsets, both alphabets),
 * hex, percent-encoded and escaped for JSON.
 */
export function formsOf(canary: string): readonly Buffer[] {
  const bytes = Buffer.from(canary, "utf8");
  const hex = bytes.toString("hex");
  const texts = [
    ...base64Forms(bytes),
    ...base64Forms(bytes).map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    hex,
    hex.toUpperCase(),
    encodeURIComponent(canary),
    hex.toUpperCase().replaceAll(/../g, "%$&"),
    hex.replaceAll(/../g, "%$&"),
    JSON.stringify(canary).slice(1, -1),
    JSON.stringify(JSON.stringify(canary)).slice(3, -3),
    [...canary].map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  ];
  return [bytes, Buffer.from(canary, "utf16le"), ...texts.map((text) => Buffer.from(text, "utf8"))];
}

/** Without the characters at both ends that the neighbours decide. */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(offset === 0 ? 0 : offset + 1, -2);
  });
}

/** The names of the canaries that `content` holds in any form. */
export function canariesIn(content: Buffer, canaries: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(canaries)
    .filter(([, canary]) => formsOf(canary).some((form) => content.includes(form)))
    .map(([name]) => name);
}
