import { join } from "node:path";
import { AUDIT_ACTIONS } from "../src/control/audit-codes.ts";

export const AUDIT_CODES_PAGE: string = join(import.meta.dir, "..", "docs", "guide", "audit-codes.md");

export function auditCodesPage(): string {
  const rows = Object.entries(AUDIT_ACTIONS)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([action, meaning]) => `| ${action}I | ${action}E | ${meaning} |`);
  return [
    "# Audit codes",
    "",
    "Printed from `src/control/audit-codes.ts`; a test keeps this page as it is there. A code never gets another meaning.",
    "[audit](audit.md) says what an entry holds.",
    "",
    "| done | failed or refused | what |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

if (import.meta.main) await Bun.write(AUDIT_CODES_PAGE, auditCodesPage());
