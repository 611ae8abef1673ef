/** Reads `--name 5` pairs of the benchmark's own child processes. @throws Error for an absent or malformed number */
export function numberFlag(argv: readonly string[], name: string): number {
  const text = textFlag(argv, name);
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw new Error(`Cannot read --${name}: "${text}" is not a number`);
  return value;
}

/** Empty when the flag is absent. */
export function textFlag(argv: readonly string[], name: string): string {
  const at = argv.indexOf(`--${name}`);
  return at === -1 ? "" : (argv[at + 1] ?? "");
}

/** The named numbers of a child's report. @throws Error that shows the line when one is missing */
export function reportedNumbers<Name extends string>(line: string, names: readonly Name[]): Record<Name, number> {
  const parsed: unknown = JSON.parse(line);
  const report = new Map(Object.entries(typeof parsed === "object" && parsed !== null ? parsed : {}));
  const entries = names.map((name) => {
    const value: unknown = report.get(name);
    if (typeof value !== "number") throw new Error(`Cannot read "${name}" of the report: ${line.slice(0, 300)}`);
    return [name, value] as const;
  });
  return recordOf(entries);
}

function recordOf<Name extends string>(entries: readonly (readonly [Name, number])[]): Record<Name, number> {
  // Object.fromEntries forgets the names; every one of them was just put in.
  return Object.fromEntries(entries) as Record<Name, number>;
}
