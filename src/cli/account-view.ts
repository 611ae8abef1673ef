import type { AccountDetailWire, AccountWindowWire, AccountWire } from "../contract/accounts.ts";
import { orDash, renderFields, renderTable, shortInstant } from "./table.ts";

export function renderAccounts(accounts: readonly AccountWire[]): string {
  if (accounts.length === 0) return "No accounts yet";
  const rows = accounts.map((account) => [
    account.name,
    account.state,
    String(account.priority),
    account.provider,
    account.baseUrl,
    String(account.modelCount),
    shortInstant(account.until),
    account.reason ?? "",
  ]);
  return renderTable(
    ["NAME", "STATE", "PRIORITY", "PROVIDER", "BASE URL", "MODELS", "UNTIL (UTC)", "REASON"],
    rows,
    [2, 5],
  );
}

export function renderAccount(account: AccountDetailWire): string {
  const fields = renderFields([
    ["Name", account.name],
    ["Id", account.id],
    ["State", account.state],
    ["Reason", orDash(account.reason)],
    ["Until (UTC)", shortInstant(account.until)],
    ["Provider", account.provider],
    ["Base URL", account.baseUrl],
    ["Credential", account.credentialKind],
    ["Priority", String(account.priority)],
    ["Organization", orDash(account.organization)],
    ["Workspace", orDash(account.workspace)],
    ["Created (UTC)", shortInstant(account.createdAt)],
    ["Models", account.models.map(({ id }) => id).join(", ") || "not known yet"],
  ]);
  return account.windows.length === 0 ? fields : `${fields}\n\n${renderWindows(account.windows)}`;
}

function renderWindows(windows: readonly AccountWindowWire[]): string {
  const rows = windows.map((window) => [
    window.name,
    window.modelClass ?? "all",
    orDash(window.status),
    orDash(window.limit),
    orDash(window.remaining),
    window.usedRatio === null ? "-" : `${Math.round(window.usedRatio * 100)} %`,
    shortInstant(window.resetAt),
  ]);
  return renderTable(["WINDOW", "MODELS", "STATUS", "LIMIT", "REMAINING", "USED", "RESET (UTC)"], rows, [3, 4, 5]);
}
