import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

test("docs/security/data.md says of every table what it holds, its level and how long it is kept", () => {
  const migrations = [...new Bun.Glob("src/storage/migrations/*.ts").scanSync(ROOT)].map(textOf).join("\n");
  const made = [...migrations.matchAll(/createTable\("([a-z_]+)"/g)].map(([, name = ""]) => name);
  const page = textOf("docs/security/data.md");
  const section = page.split("## Tables of the database")[1]?.split("\n## ")[0] ?? "";
  const rows = [...section.matchAll(/^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$/gm)];
  expect(made.length).toBeGreaterThan(10);
  expect(rows.map(([, name]) => name).toSorted()).toEqual(made.toSorted());
});
