import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NOT_RUN } from "./security-not-run.ts";

export type SecurityGroup = {
  readonly number: number;
  readonly title: string;
  /** Its cases are T-<number>.01 to T-<number>.<last>, and T-<number>.00 when it is generated from a table. */
  readonly first: 0 | 1;
  readonly last: number;
};

/** The groups of the security test plan that this version is held to. */
export const SECURITY_GROUPS: readonly SecurityGroup[] = [
  { number: 1, title: "Routes and authentication", first: 1, last: 14 },
  { number: 2, title: "Client keys", first: 1, last: 20 },
  { number: 3, title: "Passwords and throttling", first: 1, last: 18 },
  { number: 4, title: "Sessions", first: 1, last: 18 },
  { number: 5, title: "CSRF, CORS, DNS rebinding", first: 1, last: 20 },
  { number: 6, title: "Headers, CSP, XSS", first: 1, last: 14 },
  { number: 7, title: "Authorisation", first: 0, last: 16 },
  { number: 9, title: "Second factors", first: 1, last: 20 },
  { number: 10, title: "Secrets at rest", first: 1, last: 28 },
  { number: 11, title: "Key rotation and migration", first: 1, last: 16 },
  { number: 12, title: "OAuth accounts", first: 1, last: 26 },
  { number: 15, title: "Where the gateway may connect", first: 1, last: 10 },
  { number: 22, title: "Audit", first: 1, last: 20 },
  { number: 23, title: "Logs", first: 1, last: 14 },
  { number: 25, title: "TLS, client certificates, pins", first: 1, last: 22 },
  { number: 26, title: "Client addresses", first: 1, last: 28 },
  { number: 29, title: "Timing", first: 1, last: 8 },
];

export type SecurityCase = {
  readonly id: string;
  /** Files with a test of this name, sorted. */
  readonly files: readonly string[];
  /** Why there is no test; null when nobody said. */
  readonly reason: string | null;
};

const ROOT = join(import.meta.dir, "..");

/** Tests, and tables of rows that a test runs. */
const PATTERNS = ["{src,test,tools,sim,bench}/**/*.{test,long}.ts", "test/**/*-{rows,cases}.ts", "bench/*-subjects.ts"];

export function securityCases({ number, first, last }: SecurityGroup): readonly SecurityCase[] {
  const files = filesById();
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const id = `T-${number}.${String(first + at).padStart(2, "0")}`;
    return { id, files: files.get(id) ?? [], reason: NOT_RUN[id] ?? null };
  });
}

let known: ReadonlyMap<string, readonly string[]> | null = null;

function filesById(): ReadonlyMap<string, readonly string[]> {
  known ??= readFiles();
  return known;
}

function readFiles(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const paths = PATTERNS.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)]);
  for (const path of [...new Set(paths)].toSorted()) {
    const ids = readFileSync(join(ROOT, path), "utf8").match(/\bT-\d{1,2}\.\d{2}\b/g) ?? [];
    for (const id of new Set(ids)) found.set(id, [...(found.get(id) ?? []), path]);
  }
  return found;
}
