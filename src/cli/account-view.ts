import type { AccountDetailWire, AccountWindowWire, AccountWire } from "../contract/accounts.ts";
import { orDash, percent, renderFields, renderTable, shortInstant } from "./table.ts";

export function renderAccounts(accounts: readonly AccountWire[]): string {
  if (accounts.length === 0) return "No accounts yet";
  const rows = accounts.map((account) => [
    account.name,
    account.state,
    String(account.priority),
    String(account.weight),
    account.provider,
    account.baseUrl,
    String(account.modelCount),
    shortInstant(account.until),
    reasonOf(account),
  ]);
  const header = ["NAME", "STATE", "PRIORITY", "WEIGHT", "PROVIDER", "BASE URL", "MODELS", "UNTIL (UTC)", "REASON"];
  const windows = accounts.flatMap((account) =>
    account.windows.map((window) => [account.name, ...windowCells(window)] as const),
  );
  const list = renderTable(header, rows, [2, 3, 6]);
  return windows.length === 0 ? list : `${list}\n\n${renderTable(["ACCOUNT", ...WINDOW_HEADER], windows, [3, 4])}`;
}

export function renderAccount(account: AccountDetailWire): string {
  const fields = renderFields([
    ["Name", account.name],
    ["Id", account.id],
    ["State", account.state],
    ["Reason", reasonOf(account) || "-"],
    ["Until (UTC)", shortInstant(account.until)],
    ["Provider", account.provider],
    ["Base URL", account.baseUrl],
    ["Credential", account.credentialKind],
    ["Priority", String(account.priority)],
    ["Weight", String(account.weight)],
    ["Organization", orDash(account.organization)],
    ["Workspace", orDash(account.workspace)],
    ["Created (UTC)", shortInstant(account.createdAt)],
    ["Models", account.models.map(({ id }) => id).join(", ") || "not known yet"],
  ]);
  return account.windows.length === 0 ? fields : `${fields}\n\n${renderWindows(account.windows)}`;
}

/** "The provider limits this account until a stated time (status 429, retry-after)"; empty when it is ready. */
function reasonOf({ reason, cause }: AccountWire): string {
  if (reason === null) return "";
  return cause === null ? reason : `${reason} (${cause})`;
}

const WINDOW_HEADER = [
  "WINDOW",
  "MODELS",
  "USED",
  "LEFT",
  "REMAINING",
  "RESETS (UTC)",
  "PACE",
  "USED UP (UTC)",
  "STATUS",
];

function renderWindows(windows: readonly AccountWindowWire[]): string {
  return renderTable(WINDOW_HEADER, windows.map(windowCells), [2, 3]);
}

function windowCells(window: AccountWindowWire): readonly string[] {
  return [
    window.name,
    window.modelClass ?? "all",
    percent(window.usedRatio),
    percent(window.leftRatio),
    window.remaining === null ? "-" : `${window.remaining} of ${orDash(window.limit)}`,
    shortInstant(window.resetAt),
    orDash(window.pace),
    shortInstant(window.exhaustsAt),
    orDash(window.status),
  ];
}
