import { toRfc3339 } from "../../src/kernel/time.ts";
import type { Optimum, ReplayReport } from "./report.ts";
import type { Trace } from "./trace.ts";

/** One trace with every strategy that was asked for. */
export type TraceResult = {
  readonly trace: Trace;
  /** What the clients of the trace would send if nobody ever waited. */
  readonly offeredTokens: number;
  readonly optimum: Optimum;
  readonly reports: readonly ReplayReport[];
};

type Column = { readonly name: string; readonly cell: (report: ReplayReport, optimum: Optimum) => string };

const COLUMNS: readonly Column[] = [
  { name: "strategy", cell: ({ strategy }) => strategy },
  { name: "tokens before the first refusal", cell: (report) => millions(report.tokensBeforeRefusal) },
  {
    name: "of the optimum",
    cell: (report, optimum) => percent(shareOf(report.tokensBeforeRefusal, optimum.tokensBeforeRefusal)),
  },
  { name: "tokens in all", cell: (report) => millions(report.tokensServed) },
  { name: "refusals", cell: (report) => String(report.refusals) },
  { name: "wait p50 / p99", cell: (report) => `${seconds(report.waitP50Ms)} / ${seconds(report.waitP99Ms)}` },
  { name: "cache reads kept", cell: (report) => percent(report.cacheKeptRatio) },
  { name: "cost", cell: (report) => `$${Math.round(report.costMicroUsd / 1_000_000)}` },
  { name: "moves", cell: ({ moves }) => Object.values(moves).join(" / ") },
  { name: "thinking lost", cell: (report) => String(report.thinkingLost) },
  { name: "fairness", cell: (report) => report.fairness.toFixed(3) },
  { name: "429s", cell: (report) => String(report.limited) },
  { name: "to a bench", cell: (report) => String(report.sentToBenched) },
];

/** For docs/guide/strategies.md: one table per trace. */
export function markdownOf(results: readonly TraceResult[]): string {
  return results.map(markdownOfTrace).join("\n");
}

function markdownOfTrace(result: TraceResult): string {
  const rows = rowsOf(result);
  const lines = [
    `### ${result.trace.name}`,
    "",
    `${sentence(result.trace.summary)} ${headOf(result)}`,
    "",
    line(COLUMNS.map(({ name }) => name)),
    line(COLUMNS.map((_, index) => (index === 0 ? "---" : "--:"))),
    ...rows.map(line),
    "",
  ];
  return lines.join("\n");
}

/** For a terminal. */
export function textOf(results: readonly TraceResult[]): string {
  return results.map(textOfTrace).join("\n");
}

function textOfTrace(result: TraceResult): string {
  const rows = [COLUMNS.map(({ name }) => name), ...rowsOf(result)];
  const widths = COLUMNS.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join("  "),
  );
  return [`${result.trace.name}: ${result.trace.summary}`, headOf(result), ...lines, ""].join("\n");
}

/** How the default does with other sessions: the first refusal is one request's luck, and a single seed says little. */
export function seedsMarkdownOf(bySeed: readonly (readonly TraceResult[])[]): string {
  const names = bySeed[0]?.map(({ trace }) => trace.name) ?? [];
  const rows = names.map((name) => {
    const results = bySeed.map((results) => results.find(({ trace }) => trace.name === name));
    const cells = results.map((result) => {
      const report = result?.reports[0];
      if (result === undefined || report === undefined) return "";
      const served = shareOf(report.tokensBeforeRefusal, result.optimum.tokensBeforeRefusal);
      return `${percent(served)}, ${percent(report.cacheKeptRatio)}`;
    });
    return line([name, ...cells]);
  });
  const head = ["trace", ...bySeed.map((results) => `seed ${results[0]?.reports[0]?.seed ?? ""}`)];
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows, ""].join("\n");
}

function rowsOf({ reports, optimum }: TraceResult): readonly (readonly string[])[] {
  return reports.map((report) => COLUMNS.map(({ cell }) => cell(report, optimum)));
}

/** What is known before any strategy ran. */
export function headOf({ trace, optimum, offeredTokens }: Omit<TraceResult, "reports">): string {
  const hours = Math.round((trace.endMs - trace.startMs) / 3_600_000);
  const refusal =
    optimum.firstRefusalAtMs === null
      ? "never refuses"
      : `refuses first after ${((optimum.firstRefusalAtMs - trace.startMs) / 3_600_000).toFixed(1)} h`;
  return `${hours} h, ${trace.sessions.length} sessions, ${millions(offeredTokens)} tokens of work; the optimum serves ${millions(
    optimum.tokensBeforeRefusal,
  )} and ${refusal}.`;
}

/** `--json`: the same figures, unrounded. */
export function jsonOf(results: readonly TraceResult[]): string {
  const plain = results.map(({ trace, offeredTokens, optimum, reports }) => ({
    trace: trace.name,
    offeredTokens,
    optimum: { ...optimum, firstRefusalAt: instantText(optimum.firstRefusalAtMs) },
    reports: reports.map((report) => ({ ...report, firstRefusalAt: instantText(report.firstRefusalAtMs) })),
  }));
  return JSON.stringify(plain, null, 2);
}

function instantText(instant: ReplayReport["firstRefusalAtMs"]): string | null {
  return instant === null ? null : toRfc3339(instant);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function shareOf(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}

function millions(tokens: number): string {
  return `${(tokens / 1_000_000).toFixed(2)} M`;
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
