import type { AccountService } from "./accounts.ts";
import type { AuditReader } from "./audit-port.ts";
import type { KeyService } from "./keys.ts";
import type { Inspector, LedgerLag } from "./ports.ts";
import type { VaultService } from "./vault.ts";

/** One thing `doctor` looked at. `fix` says what to do when it is not well. */
export type Check = {
  readonly name: string;
  readonly isOk: boolean;
  readonly detail: string;
  readonly fix: string | null;
};

/** An ingest that is further behind than this is stuck, not busy. */
const MAX_LAG_MS = 60_000;

export type DiagnosisNeeds = {
  readonly inspector: Inspector;
  readonly accounts: Pick<AccountService, "list">;
  readonly keys: Pick<KeyService, "list">;
  readonly vault: Pick<VaultService, "status">;
  readonly audit: Pick<AuditReader, "sinks">;
};

/** Looks at everything that must be well for a client to be served. Never throws for what it finds. */
export async function diagnose({ inspector, accounts, keys, vault, audit }: DiagnosisNeeds): Promise<readonly Check[]> {
  const directory = await inspector.dataDirectoryPermissions();
  const integrity = await inspector.databaseIntegrity();
  return [
    {
      name: "data directory",
      isOk: directory.ok,
      detail: directory.ok ? "Only its owner can read it" : directory.error,
      fix: directory.ok ? null : "chmod 700 the data directory and 600 the files in it",
    },
    {
      name: "database",
      isOk: integrity.ok,
      detail: integrity.ok ? "Integrity check passed" : integrity.error,
      fix: integrity.ok ? null : "Stop the gateway and restore the newest good backup",
    },
    ledgerCheck(inspector.ledgerLag()),
    await masterKeyCheck(vault),
    accountCheck(accounts),
    await keyCheck(keys),
    await auditCheck(audit),
  ];
}

function ledgerCheck(lag: LedgerLag): Check {
  const isOk = (lag.oldestPendingMs ?? 0) <= MAX_LAG_MS && lag.droppedEntries === 0;
  const age = lag.oldestPendingMs === null ? "" : `, the oldest ${Math.round(lag.oldestPendingMs / 1000)} s old`;
  const detail = `${lag.pendingEntries} entries wait for the database${age}; ${lag.droppedEntries} lost since the start`;
  return { name: "ledger", isOk, detail, fix: isOk ? null : "Check free disk space and the log for storage errors" };
}

async function masterKeyCheck(vault: Pick<VaultService, "status">): Promise<Check> {
  const { masterKeyKind, isMasterKeyReachable: isOk } = await vault.status();
  const detail = isOk ? `Kept by: ${masterKeyKind}` : `Degraded: ${masterKeyKind} does not answer`;
  const fix = isOk ? null : "Put the token back before the next start; what runs goes on until then";
  return { name: "master key", isOk, detail, fix };
}

function accountCheck(accounts: Pick<AccountService, "list">): Check {
  const all = accounts.list();
  const usable = all.filter(({ condition }) => condition.state === "ready" || condition.state === "limited");
  const unwell = all
    .filter(({ condition }) => condition.state === "dead" || condition.state === "needs_reauth")
    .map(({ account, condition }) => `${account.name} is ${condition.state}`);
  const isOk = usable.length > 0 && unwell.length === 0;
  const detail = [`${usable.length} of ${all.length} usable`, ...unwell.slice(0, 5)].join("; ");
  return { name: "accounts", isOk, detail, fix: isOk ? null : accountFix(all.length, unwell.length) };
}

function accountFix(accountCount: number, unwellCount: number): string {
  if (accountCount === 0) return "Add one: better-ccflare account add NAME --provider anthropic --key-stdin";
  if (unwellCount === 0) return "Resume one: better-ccflare account resume NAME";
  return "Find out why: better-ccflare account test NAME; then remove it and add it again";
}

async function keyCheck(keys: Pick<KeyService, "list">): Promise<Check> {
  const active = (await keys.list()).filter(({ state }) => state === "active").length;
  const isOk = active > 0;
  const fix = isOk ? null : "Create one: better-ccflare key create NAME";
  return { name: "client keys", isOk, detail: `${active} active`, fix };
}

async function auditCheck(audit: Pick<AuditReader, "sinks">): Promise<Check> {
  const sinks = await audit.sinks();
  const isOk = sinks.every(({ state }) => state === "ok");
  const detail = sinks
    .map(({ name, state, pendingEntries, problem }) => {
      const waiting = state === "ok" ? "" : `, ${pendingEntries} entries wait`;
      return `${name} ${state}${waiting}${problem === null ? "" : ` (${problem})`}`;
    })
    .join("; ");
  const fix = isOk ? null : "See `audit sinks`; a sink that is blocked for 24 h makes the admin API read-only";
  return { name: "audit log", isOk, detail, fix };
}
