/** What design.md section 5 promises of one figure. */
export type Limit =
  | { readonly kind: "ratioAtMost"; readonly value: number }
  | { readonly kind: "valueAtMost"; readonly value: number }
  | { readonly kind: "valueAtLeast"; readonly value: number };

export type Verdict = "PASS" | "FAIL" | "NOT RUN" | "info";

/** One line of the printed table. */
export type Row = {
  readonly name: string;
  readonly unit: string;
  /** Null: not measured, or not a figure that this system has. */
  readonly nginx: number | null;
  readonly gateway: number | null;
  /** Gateway over nginx as the median over pairs of neighbouring rounds; null: the two figures divided. */
  readonly pairedRatio: number | null;
  /** Null: the row is printed for the reader and has no verdict. */
  readonly limit: Limit | null;
  /** Something that makes the figure worthless, such as failed requests: the verdict is FAIL then. */
  readonly problem: string | null;
  readonly note: string;
};

export function row(fields: Pick<Row, "name" | "unit"> & Partial<Row>): Row {
  return { nginx: null, gateway: null, pairedRatio: null, limit: null, problem: null, note: "", ...fields };
}

/** Null when either figure is missing or nginx is zero. */
export function ratioOf({ nginx, gateway, pairedRatio }: Row): number | null {
  if (pairedRatio !== null) return pairedRatio;
  if (nginx === null || gateway === null || !(nginx > 0)) return null;
  return gateway / nginx;
}

export function verdictOf(one: Row): Verdict {
  if (one.problem !== null) return "FAIL";
  if (one.limit === null) return "info";
  if (one.gateway === null) return "NOT RUN";
  const { kind, value } = one.limit;
  const measured = kind === "ratioAtMost" ? ratioOf(one) : one.gateway;
  if (measured === null) return "NOT RUN";
  // NaN, for nothing measured, compares false and so fails.
  return (kind === "valueAtLeast" ? measured >= value : measured <= value) ? "PASS" : "FAIL";
}

const COLUMNS = ["WHAT", "UNIT", "NGINX", "GATEWAY", "RATIO", "TARGET", "VERDICT", "NOTE"];

export function printTable(rows: readonly Row[]): string {
  const cells = rows.map((one) => [
    one.name,
    one.unit,
    figure(one.nginx),
    figure(one.gateway),
    one.limit?.kind.startsWith("value") === true ? "-" : figure(ratioOf(one)),
    targetText(one.limit),
    verdictOf(one),
    one.problem ?? one.note,
  ]);
  const widths = COLUMNS.map((title, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  return [COLUMNS, ...cells]
    .map((line) =>
      line
        .map((cell, at) => padded(cell, at, widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function padded(cell: string, column: number, width: number): string {
  return column >= 2 && column <= 4 ? cell.padStart(width) : cell.padEnd(width);
}

function figure(value: number | null): string {
  if (value === null) return "-";
  if (!Number.isFinite(value)) return "?";
  return value.toFixed(Math.abs(value) >= 1000 || Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 1 : 2);
}

function targetText(limit: Limit | null): string {
  switch (limit?.kind) {
    case undefined:
      return "-";
    case "ratioAtMost":
      return `<= ${limit.value}x`;
    case "valueAtMost":
      return `<= ${limit.value}`;
    case "valueAtLeast":
      return `>= ${limit.value}`;
  }
}
