/** Aligned columns for a person; no trailing spaces. `rightAligned` holds the numbers of the columns with figures. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly number[] = [],
): string {
  const lines = [header, ...rows.map((row) => row.map(printable))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const renderLine = (line: readonly string[]) =>
    widths
      .map((width, column) => {
        const cell = line[column] ?? "";
        return rightAligned.includes(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return lines.map(renderLine).join("\n");
}

/** "Name: value" lines with the values under each other. */
export function renderFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${printable(value)}`).join("\n");
}

/** Models and messages come from clients and providers: a control character must not reach the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

export function orDash(value: string | number | null): string {
  return value === null ? "-" : String(value);
}

/** "45 %"; a share that is not known is a dash. */
export function percent(ratio: number | null): string {
  return ratio === null ? "-" : `${Math.round(ratio * 100)} %`;
}

/** "$0.001234" from millionths of a dollar. */
export function microUsd(amount: number | null): string {
  return amount === null ? "-" : `$${(amount / 1_000_000).toFixed(6)}`;
}

/** "2026-11-23 19:32:00", in UTC. */
export function shortInstant(instant: string | null): string {
  return instant === null ? "-" : instant.slice(0, 19).replace("T", " ");
}
