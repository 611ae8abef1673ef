import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const PAGE = readFileSync(join(ROOT, "docs/security/asvs.md"), "utf8");

/** Requirements of ASVS 5.0.0 by chapter: [level 1, level 2], counted in the standard's own CSV on 2026-11-24. */
const CHAPTERS: Readonly<Record<string, readonly [number, number]>> = {
  V1: [8, 19],
  V2: [4, 7],
  V3: [8, 11],
  V4: [2, 8],
  V5: [4, 5],
  V6: [13, 22],
  V7: [6, 12],
  V8: [4, 3],
  V9: [4, 3],
  V10: [5, 24],
  V11: [3, 11],
  V12: [3, 6],
  V13: [1, 12],
  V14: [2, 7],
  V15: [3, 10],
  V16: [0, 16],
  V17: [0, 7],
};

const VERDICTS = ["met", "in part", "not met", "n/a"];
const ROW = /^\| (V\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/;

type Row = {
  readonly id: string;
  readonly level: string;
  readonly text: string;
  readonly verdict: string;
  readonly where: string;
  readonly shownBy: string;
};

const ROWS: readonly Row[] = sectionOf("The requirements")
  .filter((line) => line.startsWith("| V"))
  .map((line) => {
    const [, id = "", level = "", text = "", verdict = "", where = "", shownBy = ""] = ROW.exec(line) ?? [];
    if (id === "") throw new Error(`Cannot read this row of docs/security/asvs.md: ${line}`);
    return { id, level, text, verdict, where, shownBy };
  });

const TEST_IDS = new Set(
  ["src", "sim", "test", "tools"]
    .flatMap((folder) => [...new Bun.Glob(`${folder}/**/*.ts`).scanSync(ROOT)])
    .filter((path) => isTest(path) && path !== "test/asvs.test.ts")
    .flatMap((path) => readFileSync(join(ROOT, path), "utf8").match(/\bT-\d+\.\d+/g) ?? []),
);

/** The lines under the heading, up to the next one of the same rank. */
function sectionOf(heading: string): readonly string[] {
  const [, section = ""] = PAGE.split(`\n## ${heading}\n`);
  return (section.split("\n## ")[0] ?? "").split("\n");
}

/** Tables of cases stand beside the tests that run them. */
function isTest(path: string): boolean {
  return path.startsWith("test/") || /\.(test|long)\.ts$/.test(path);
}

function chapterOf(id: string): string {
  return id.split(".")[0] ?? "";
}

function partsOf(id: string): readonly number[] {
  return id.slice(1).split(".").map(Number);
}

function isBefore(one: string, other: string): boolean {
  const [a, b] = [partsOf(one), partsOf(other)];
  const first = a.findIndex((part, index) => part !== b[index]);
  return first !== -1 && (a[first] ?? 0) < (b[first] ?? 0);
}

function countOf(rows: readonly Row[]): readonly number[] {
  return [...VERDICTS.map((verdict) => rows.filter((row) => row.verdict === verdict).length), rows.length];
}

describe("docs/security/asvs.md", () => {
  test.each(Object.entries(CHAPTERS))("has every requirement of %s at levels 1 and 2", (chapter, [one, two]) => {
    const levels = ROWS.filter(({ id }) => chapterOf(id) === chapter).map(({ level }) => level);
    expect([levels.filter((level) => level === "1").length, levels.filter((level) => level === "2").length]).toEqual([
      one,
      two,
    ]);
  });

  test("has them once, in the order of the standard, in a verdict that it explains", () => {
    for (const [index, { id, text, verdict }] of ROWS.entries()) {
      const next = ROWS[index + 1]?.id;
      if (next !== undefined)
        expect({ id, next, isOrdered: isBefore(id, next) }).toEqual({ id, next, isOrdered: true });
      expect(VERDICTS).toContain(verdict);
      expect(text.split(/\s+/).length).toBeLessThanOrEqual(12);
    }
  });

  test("counts its rows right", () => {
    const line = (name: string, rows: readonly Row[]) => `| ${name} | ${countOf(rows).join(" | ")} |`;
    const levels = ["1", "2"].map((level) =>
      line(
        level,
        ROWS.filter((row) => row.level === level),
      ),
    );
    for (const expected of [...levels, line("both", ROWS)]) expect(PAGE.split("\n")).toContain(expected);
  });

  test("says of each requirement that is met where, and what shows it", () => {
    const bare = ROWS.filter(({ verdict, where, shownBy }) => verdict === "met" && (where === "-" || shownBy === "-"));
    expect(bare.map(({ id }) => id)).toEqual([]);
  });

  test("says of each that does not apply why not, and names no test", () => {
    const odd = ROWS.filter(({ verdict, where, shownBy }) => verdict === "n/a" && (where === "-" || shownBy !== "-"));
    expect(odd.map(({ id }) => id)).toEqual([]);
  });

  test("names files that exist", () => {
    const named = ROWS.flatMap(({ id, where, shownBy }) =>
      [...`${where} ${shownBy}`.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => ({ id, path })),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter(({ path }) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("names tests that exist", () => {
    const named = ROWS.flatMap(({ id, shownBy }) =>
      [...shownBy.matchAll(/T-\d+\.\d+/g)].map(([name]) => ({ id, name })),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(({ name }) => !TEST_IDS.has(name))).toEqual([]);
  });

  test("shows a requirement by files, test ids and review alone", () => {
    const piece = /^(-|review|T-\d+\.\d+|`[\w./-]+\.(test|long)\.ts`)$/;
    const odd = ROWS.flatMap(({ id, shownBy }) => shownBy.split(", ").map((shown) => ({ id, shown }))).filter(
      ({ shown }) => !piece.test(shown),
    );
    expect(odd).toEqual([]);
  });

  test("lists what is missing for each that is not met, and for those in part, and for no other", () => {
    const listed = sectionOf("What is missing").flatMap((line) => {
      const [, id, verdict, missing] = /^\| (V[\d.]+) \| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [];
      return id === undefined ? [] : [{ id, verdict, isSaid: (missing ?? "").trim().length > 10 }];
    });
    const open = ROWS.filter(({ verdict }) => verdict === "in part" || verdict === "not met");
    expect(listed).toEqual(open.map(({ id, verdict }) => ({ id, verdict, isSaid: true })));
  });
});
