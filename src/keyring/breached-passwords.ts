import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import listPath from "./breached-passwords.bin" with { type: "file" };

/** Of SHA-256 of the password in small letters. A password that is in no list is refused once in 20 million times. */
const PREFIX_BYTES = 5;

/** What people put around a common password to get past a form. Longer ones may be chance themselves. */
const MAX_ADDED = 8;
const MIN_STEM_LENGTH = 4;
const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/**
 * The lookup in the list that is part of the program: nothing is asked of anybody. Case does not count, and neither do
 * a few digits and signs around a listed password, nor the usual digits for letters.
 * @throws Error when the list is not whole: a bug of the build.
 */
export function openBreachedPasswords(): (password: string) => boolean {
  const list = readFileSync(listPath);
  if (list.length === 0 || list.length % PREFIX_BYTES !== 0) {
    throw new Error(`Cannot read the list of breached passwords: it has ${list.length} bytes`);
  }
  return (password) => [...spellings(password.toLowerCase())].some((text) => isListed(list, text));
}

/** At most four. */
function spellings(password: string): ReadonlySet<string> {
  const stem = stemOf(password);
  return new Set([password, stem, plainLetters(password), plainLetters(stem)]);
}

function stemOf(password: string): string {
  const stem = password.replace(/^[^\p{L}]+/u, "").replace(/[^\p{L}]+$/u, "");
  return stem.length >= MIN_STEM_LENGTH && password.length - stem.length <= MAX_ADDED ? stem : password;
}

function plainLetters(password: string): string {
  return password.replace(/[013457@$!]/g, (sign) => LEET[sign] ?? sign);
}

function isListed(list: Buffer, password: string): boolean {
  const wanted = createHash("sha256").update(password).digest().subarray(0, PREFIX_BYTES);
  let low = 0;
  let high = list.length / PREFIX_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * PREFIX_BYTES;
    const order = list.compare(wanted, 0, PREFIX_BYTES, at, at + PREFIX_BYTES);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
