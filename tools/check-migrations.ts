import type { Complaint, SourceFile } from "./source-files.ts";

const FOLDER = "src/storage/migrations/";
const TABLE = `${FOLDER}all-migrations.ts`;
const NUMBERED = /^(\d{4})-[a-z0-9-]+$/u;

/** Numbers go 0001, 0002, ... without gap or repetition, and the table lists every file in that order. */
export function checkMigrations(files: readonly SourceFile[]): readonly Complaint[] {
  const names = files
    .filter(({ path }) => path.startsWith(FOLDER) && path !== TABLE && !path.endsWith(".test.ts"))
    .map(({ path }) => path.slice(FOLDER.length).replace(/\.ts$/u, ""));
  if (names.length === 0) return [];
  const complaints: Complaint[] = [];
  for (const [at, name] of names.toSorted().entries()) {
    const expected = String(at + 1).padStart(4, "0");
    const number = NUMBERED.exec(name)?.[1];
    if (number !== expected) complaints.push(`${FOLDER}${name}.ts:1 is expected to be number ${expected}`);
  }
  const table = files.find(({ path }) => path === TABLE)?.text ?? "";
  const listed = [...table.matchAll(/^\s*"(\d{4}-[a-z0-9-]+)":/gmu)].map((match) => match[1]);
  if (listed.join() !== names.toSorted().join()) {
    complaints.push(`${TABLE}:1 lists [${listed.join(", ")}], the folder holds [${names.toSorted().join(", ")}]`);
  }
  return complaints;
}
