const USER_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** Folding may shorten a text; nothing that long becomes a name. */
const MAX_UNITS = 320;

/**
 * The one form under which a user is stored, looked up and counted: `Bob`, `bob `, full-width `ｂｏｂ` and `bob@example.com`
 * are all `bob`. Null when nothing of that form comes out.
 */
export function canonicalUserName(text: string): string | null {
  if (text.length > MAX_UNITS) return null;
  // Up and down again: case folding, which toLowerCase alone is not (final sigma, ß).
  const name = text.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC").trim();
  const local = name.replace(/@[^@]*$/, "");
  return USER_NAME.test(local) ? local : null;
}
