import { expect, test } from "bun:test";
import { SECURITY_GROUPS, securityCases } from "./security-cases.ts";
import { NOT_RUN } from "./security-not-run.ts";
import { SECURITY_TESTS_PAGE, securityTestsPage } from "./security-tests-page.ts";

test.each(SECURITY_GROUPS)("G$number: each case has a test or a reason", (group) => {
  const silent = securityCases(group).filter(({ files, reason }) => files.length === 0 && reason === null);
  expect(silent.map(({ id }) => id)).toEqual([]);
});

test("no reason stands for a case that is not in the plan", () => {
  const ids = new Set(SECURITY_GROUPS.flatMap((group) => securityCases(group).map(({ id }) => id)));
  expect(Object.keys(NOT_RUN).filter((id) => !ids.has(id))).toEqual([]);
});

test("docs/security/tests.md is what the names print; `bun test/security-tests-page.ts` writes it anew", async () => {
  expect(await Bun.file(SECURITY_TESTS_PAGE).text()).toBe(securityTestsPage());
});
