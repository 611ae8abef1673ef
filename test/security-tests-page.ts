import { join } from "node:path";
import { SECURITY_GROUPS, type SecurityCase, type SecurityGroup, securityCases } from "./security-cases.ts";

export const SECURITY_TESTS_PAGE: string = join(import.meta.dir, "..", "docs", "security", "tests.md");

export function securityTestsPage(): string {
  const groups = SECURITY_GROUPS.map((group) => ({ group, cases: securityCases(group) }));
  const all = groups.flatMap(({ cases }) => cases);
  const shown = all.filter(({ files }) => files.length > 0).length;
  return [
    "# The security test plan, case by case",
    "",
    "Printed by `bun test/security-tests-page.ts` from the ids in the names of tests; a test keeps it so. Files that end in",
    "`.long.ts` run with `npm run test:long`, all others with `npm test`.",
    "",
    `${shown} of ${all.length} cases have a test; the others say why not.`,
    ...groups.flatMap(({ group, cases }) => section(group, cases)),
    "",
  ].join("\n");
}

function section({ number, title }: SecurityGroup, cases: readonly SecurityCase[]): readonly string[] {
  return ["", `## G${number} ${title}`, "", "| case | shown by |", "| --- | --- |", ...cases.map(rowOf)];
}

function rowOf({ id, files, reason }: SecurityCase): string {
  const shownBy = files.map((file) => `\`${file}\``).join(", ");
  const notRun = reason === null ? "" : files.length === 0 ? `Not run: ${reason}` : `. In part: ${reason}`;
  return `| ${id} | ${shownBy}${notRun} |`;
}

if (import.meta.main) await Bun.write(SECURITY_TESTS_PAGE, securityTestsPage());
