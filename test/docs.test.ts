import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { placedSettings } from "../src/config/settings.ts";
import { createMetrics } from "../src/observe/metrics.ts";

const ROOT = join(import.meta.dir, "..");
const PAGES = ["*.md", "{bench,docs,sim,src,test,tools}/**/*.md"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)])
  .toSorted();

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The one table row whose first cell is `name`; empty when there is none, or more. */
function rowOf(page: string, name: string): string {
  const rows = textOf(page)
    .split("\n")
    .filter((line) => line.startsWith(`| \`${name}\` |`));
  return rows.length === 1 ? (rows[0] ?? "") : "";
}

function matchesIn(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map(([whole, first]) => first ?? whole))].toSorted();
}

describe("docs/guide/errors.md", () => {
  const page = "docs/guide/errors.md";
  const sources = [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)].filter((path) => !path.endsWith(".test.ts"));
  const codes = matchesIn(sources.map(textOf).join("\n"), /\bGW_[A-Z_]+[A-Z]\b/g);

  test.each(codes)("has a row for %s", (code) => {
    expect(rowOf(page, code)).not.toBe("");
  });

  test("says the status and the type of each refusal", () => {
    const refusals = [
      ...textOf("src/gateway/refusal.ts").matchAll(/^ {2}(GW_\w+): \{ status: (\d{3}), type: "(\w+)" \}/gm),
    ];
    expect(refusals.length).toBeGreaterThan(20);
    for (const [, code = "", status, type] of refusals) expect(rowOf(page, code)).toContain(`| ${status} ${type}`);
  });

  test("names no code that the gateway does not have", () => {
    expect(matchesIn(textOf(page), /\bGW_[A-Z_]+[A-Z]\b/g)).toEqual(codes);
  });
});

describe("docs/guide/configuration.md", () => {
  test.each(placedSettings())("has $section.$name as it is", ({ section, name, setting }) => {
    const row = rowOf("docs/guide/configuration.md", `${section}.${name}`);
    const flag = setting.flag?.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const [, , env, shownFlag, fallback] = row.split("|").map((cell) => cell.trim());
    expect({ env, flag: shownFlag, fallback }).toEqual({
      env: setting.env === undefined ? "" : `\`${setting.env}\``,
      flag: flag === undefined ? "" : `\`--${flag}\``,
      fallback: `\`${setting.fallback}\``,
    });
  });
});

test("docs/guide/operate.md names every metric of the gateway", async () => {
  const metrics = createMetrics({
    inFlightRequests: () => 0,
    openStreams: () => 0,
    waitingRequests: () => 0,
    bodyBytesInUse: () => 0,
    bodyBytesLimit: () => 0,
    accountsByState: () => ({ ready: 0, limited: 0, paused: 0, needs_reauth: 0, dead: 0 }),
    ledgerLag: () => ({ pendingEntries: 0, oldestPendingMs: null, droppedEntries: 0 }),
    droppedLogLines: () => 0,
    refusedRetries: () => 0,
    knownHomes: () => 0,
    auditSinks: () => [],
  });
  const names = matchesIn(await metrics.render(), /^# TYPE (better_ccflare_\w+) /gm);
  expect(names.length).toBeGreaterThan(10);
  const page = textOf("docs/guide/operate.md");
  expect(names.filter((name) => !page.includes(`\`${name}`))).toEqual([]);
});

/** The address that a browser would make of a heading, as far as our headings go. */
function anchorsOf(path: string): readonly string[] {
  return matchesIn(textOf(path), /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("each decision has a number of its own, without a gap", () => {
  const numbers = [...new Bun.Glob("docs/adr/[0-9]*.md").scanSync(ROOT)].map((path) => Number(path.slice(9, 13)));
  expect(numbers.toSorted((left, right) => left - right)).toEqual(numbers.map((_, at) => at + 1));
});

test("finds the pages", () => {
  expect(PAGES.length).toBeGreaterThan(20);
  for (const page of ["README.md", "docs/adr/README.md", "sim/README.md"]) expect(PAGES).toContain(page);
});

test.each(PAGES)("%s has no dead link", (page) => {
  const links = matchesIn(textOf(page).replaceAll(/^```.*?^```/gms, ""), /\]\(([^)\s]+)\)/g);
  const dead = links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(dead).toEqual([]);
});

test("SECURITY.md names tests that exist", () => {
  const named = matchesIn(textOf("SECURITY.md"), /[\w./-]+\.test\.ts/g);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
