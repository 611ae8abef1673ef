import { expect, test } from "bun:test";
import { AUDIT_CODES_PAGE, auditCodesPage } from "./audit-codes-page.ts";

test("docs/guide/audit-codes.md is what the table prints; `bun test/audit-codes-page.ts` writes it anew", async () => {
  expect(await Bun.file(AUDIT_CODES_PAGE).text()).toBe(auditCodesPage());
});
