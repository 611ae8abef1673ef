import { expect, test } from "bun:test";
import { FAULTS_PAGE, renderFaultsPage } from "./faults-page.ts";

test("docs/guide/faults.md says what the tests play; `bun test/e2e/faults-page.ts` writes it anew", async () => {
  expect(await Bun.file(FAULTS_PAGE).text()).toBe(renderFaultsPage());
});
