import type {
  AccountDetailWire,
  AccountTestWire,
  AccountWindowWire,
  AccountWire,
  AddedAccountWire,
} from "../../contract/accounts.ts";
import type { KeyWire } from "../../contract/keys.ts";
import type { RequestWire, StatsWire } from "../../contract/requests.ts";
import type { AccountReport, AccountTest, AddedAccount, PacedWindow } from "../../control/accounts.ts";
import type { ClientKeyReport } from "../../control/keys.ts";
import type { RequestReport } from "../../control/requests.ts";
import type { Stats } from "../../control/stats.ts";
import { type EpochMs, toRfc3339 } from "../../kernel/time.ts";

export function accountToWire({ account, condition }: AccountReport): AccountWire {
  return {
    id: account.id,
    name: account.name,
    provider: account.provider,
    state: condition.state,
    priority: account.priority,
    weight: account.weight,
    windows: condition.windows.map(windowToWire),
    baseUrl: account.baseUrl,
    credentialKind: account.credentialKind,
    organization: account.organization,
    workspace: account.workspace,
    modelCount: account.models.length,
    createdAt: toRfc3339(account.createdAtMs),
    reason: condition.reason,
    cause: condition.cause,
    until: instantOrNull(condition.untilMs),
  };
}

export function accountDetailToWire(report: AccountReport): AccountDetailWire {
  const models = report.account.models.map(({ id, displayName }) => ({ id, displayName }));
  return { ...accountToWire(report), models };
}

export function addedAccountToWire(added: AddedAccount): AddedAccountWire {
  return { ...accountToWire(added), warning: added.warning };
}

export function accountTestToWire(test: AccountTest): AccountTestWire {
  const { account, isOk, status, detail, modelCount } = test;
  return { id: account.id, name: account.name, isOk, status, detail, modelCount };
}

export function keyToWire({ record, state }: ClientKeyReport): KeyWire {
  const { grant, limits } = record.access;
  return {
    id: record.id,
    name: record.name,
    state,
    ownerId: record.ownerId,
    scopes: grant.scopes === null ? null : [...grant.scopes],
    models: grant.models === null ? null : [...grant.models],
    networks: grant.networks?.map(({ text }) => text) ?? null,
    limits: { ...limits },
    rotatedTo: record.rotatedTo,
    createdAt: toRfc3339(record.createdAtMs),
    expiresAt: instantOrNull(record.expiresAtMs),
    revokedAt: instantOrNull(record.revokedAtMs),
    lastUsedAt: instantOrNull(record.lastUsedAtMs),
  };
}

export function requestToWire({ row, accountName, clientKeyName }: RequestReport): RequestWire {
  return {
    id: row.id,
    startedAt: toRfc3339(row.startedAtMs),
    status: row.status,
    outcome: row.outcome,
    account: accountName,
    clientKey: clientKeyName,
    model: row.model,
    stream: row.isStream,
    attempts: row.attempts,
    usage: {
      inputTokens: row.usage?.inputTokens ?? null,
      cacheWrite5mTokens: row.usage?.cacheWrite5mTokens ?? null,
      cacheWrite1hTokens: row.usage?.cacheWrite1hTokens ?? null,
      cacheReadTokens: row.usage?.cacheReadTokens ?? null,
      outputTokens: row.usage?.outputTokens ?? null,
    },
    costMicroUsd: row.costMicroUsd,
    timing: { queueMs: row.queueMs, firstByteMs: row.firstByteMs, totalMs: row.totalMs },
    method: row.method,
    path: row.path,
    errorType: row.errorType,
    upstreamRequestId: row.upstreamRequestId,
    thinkingDropped: row.thinkingDropped,
  };
}

export function statsToWire({ sinceMs, total, accounts, models }: Stats): StatsWire {
  return { since: toRfc3339(sinceMs), total, accounts: [...accounts], models: [...models] };
}

function windowToWire({ resetAtMs, exhaustsAtMs, seenAtMs, ...rest }: PacedWindow): AccountWindowWire {
  const instants = { resetAt: instantOrNull(resetAtMs), exhaustsAt: instantOrNull(exhaustsAtMs) };
  return { ...rest, ...instants, seenAt: toRfc3339(seenAtMs) };
}

export function instantOrNull(instant: EpochMs | null): string | null {
  return instant === null ? null : toRfc3339(instant);
}
