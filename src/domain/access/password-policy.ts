export type PasswordFacts = {
  readonly words: readonly string[];
  readonly hasMfa: boolean;
  /** Is it in a list of passwords that became public? */
  readonly isBreached: (password: string) => boolean;
};

/** SP 800-63B-4: 15 characters where the password is all there is, 8 beside a second factor. */
const MIN_CHARACTERS = 15;
const MIN_CHARACTERS_WITH_MFA = 8;
const MAX_CHARACTERS = 256;

/** What 256 characters are at most before NFC. Whatever is longer is refused without being looked at. */
export const MAX_PASSWORD_UNITS = 4096;

/** What anybody would try here, whoever the user is. */
const OWN_WORDS = ["better-ccflare", "ccflare", "claude", "anthropic", "gateway", "password"];

/** A shorter word is in half of all good passwords by chance. */
const MIN_WORD_LENGTH = 4;

/** The same characters on another keyboard are the same password. */
export function normalPassword(password: string): string {
  return password.normalize("NFC");
}

/**
 * Why nobody should have this password; null when it may be taken. A character is a Unicode code point after NFC. What
 * the characters are does not count: no rule asks for digits, capitals or symbols.
 */
export function passwordProblem(password: string, { words, hasMfa, isBreached }: PasswordFacts): string | null {
  if (password.length > MAX_PASSWORD_UNITS) return `a password has at most ${MAX_CHARACTERS} characters`;
  // Half of a surrogate pair becomes U+FFFD in UTF-8, so that two passwords would be one.
  if (/\p{Surrogate}/u.test(password)) return "the password is not valid Unicode; type it again";
  const normal = normalPassword(password);
  const length = [...normal].length;
  const min = hasMfa ? MIN_CHARACTERS_WITH_MFA : MIN_CHARACTERS;
  if (length < min) return tooShort(length, min, hasMfa);
  if (length > MAX_CHARACTERS) return `a password has at most ${MAX_CHARACTERS} characters and this one has ${length}`;
  if (isBreached(normal)) return "this password is in public lists of stolen passwords; take another one";
  if ([...OWN_WORDS, ...words].some((word) => isGuessedFrom(normal, word))) {
    return "this password is little more than a word that anybody would try; take another one";
  }
  return null;
}

function tooShort(length: number, min: number, hasMfa: boolean): string {
  const fact = `a password has at least ${min} characters and this one has ${length}`;
  return hasMfa ? fact : `${fact}; ${MIN_CHARACTERS_WITH_MFA} are enough once a second factor is set up`;
}

/** The word makes up half of the password or more, however often it stands there and in whatever case. */
function isGuessedFrom(password: string, word: string): boolean {
  const needle = folded(word);
  if (needle.length < MIN_WORD_LENGTH) return false;
  const text = folded(password);
  return text.replaceAll(needle, "").length * 2 <= text.length;
}

function folded(text: string): string {
  return text.normalize("NFKC").toUpperCase().toLowerCase();
}
