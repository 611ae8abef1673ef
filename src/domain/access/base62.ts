const BASE62_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Rejection sampling takes bytes below the largest multiple of 62, so that every character is equally likely. */
const UNBIASED_BYTE_LIMIT = 248;

/**
 * `length` uniform base62 characters from uniform random bytes, of which about 3 % are thrown away.
 * @throws RangeError when the bytes run out: pass at least `1.5 * length + 16`.
 */
export function base62FromRandom(randomBytes: Uint8Array, length: number): string {
  let text = "";
  for (const byte of randomBytes) {
    if (text.length === length) break;
    if (byte < UNBIASED_BYTE_LIMIT) text += BASE62_ALPHABET.charAt(byte % 62);
  }
  if (text.length < length) {
    throw new RangeError(
      `Cannot draw ${length} base62 characters: ${randomBytes.length} random bytes gave ${text.length}`,
    );
  }
  return text;
}

/** The number in base 62, padded with zeros on the left to `width` characters. */
export function base62FromNumber(value: number, width: number): string {
  let text = "";
  for (let rest = value; text.length < width; rest = Math.floor(rest / 62)) {
    text = BASE62_ALPHABET.charAt(rest % 62) + text;
  }
  return text;
}
