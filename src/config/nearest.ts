/** Steps (insert, delete, replace one character) from `from` to `to`. Both are names, so the square cost is small. */
export function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

/** Longer names are cut before they are compared: an unknown key may be as long as the file. */
const LONGEST_NAME = 80;

/** The known name that is written most like `name`, ignoring case. Null only when nothing is known. */
export function nearest(name: string, known: readonly string[]): string | null {
  const wanted = name.slice(0, LONGEST_NAME).toLowerCase();
  let best: { readonly name: string; readonly steps: number } | null = null;
  for (const candidate of known) {
    const steps = editDistance(wanted, candidate.toLowerCase());
    if (best === null || steps < best.steps) best = { name: candidate, steps };
  }
  return best?.name ?? null;
}
