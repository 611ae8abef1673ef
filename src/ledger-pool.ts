import type { BucketLimits, Credential, Organization, PlanLimits } from "../sim/replay/trace.ts";
import type { AccountWindowWire, AccountWire } from "./contract/accounts.ts";
import type { TraceRequestWire } from "./contract/trace.ts";
import { type Account, accountId } from "./domain/account/account.ts";
import { type EpochMs, epochMs } from "./kernel/time.ts";

export type LedgerPool = {
  readonly credentials: readonly Credential[];
  /** What the replay cannot know, for the operator. */
  readonly notes: readonly string[];
};

type Given = {
  readonly accounts: readonly AccountWire[];
  readonly requests: readonly TraceRequestWire[];
  /** The ledger was asked from here on. */
  readonly sinceMs: number;
};

type Members = { readonly accounts: readonly AccountWire[]; readonly windows: readonly AccountWindowWire[] };

const SPANS_MS = { "5h": 18_000_000, "7d": 604_800_000 } as const;
/** Of a window that is used less, the size cannot be told. */
const LEAST_USED_RATIO = 0.05;
/** What is not limited, in a number that can still be added to. */
const UNLIMITED = 1e15;

/**
 * The pool as it is now: the limits that the provider's headers named, and the size of a plan's window from what the
 * ledger shows of it (what was spent, divided by the share that the provider says is used).
 */
export function poolOfLedger(given: Given): LedgerPool {
  const serving = given.accounts.filter(({ state }) => state === "ready" || state === "limited");
  const notes: string[] = [];
  const left = given.accounts.filter((account) => !serving.includes(account)).map(({ name }) => name);
  if (left.length > 0) notes.push(`Left out, because they serve nobody now: ${left.join(", ")}`);
  const credentials = [...groupsOf(serving)].flatMap(([id, accounts]) => {
    const members = { accounts, windows: accounts.flatMap(({ windows }) => windows) };
    const organization = organizationOf(id, members, given);
    if (isUnlimited(organization)) {
      notes.push(`No limit is known of ${accounts.map(({ name }) => name).join(", ")}: taken as unlimited`);
    }
    return accounts.map((account) => credentialOf(account, organization));
  });
  return { credentials, notes };
}

/** Who shares limits: as `limitGroupOf`, and one upstream. */
function groupsOf(accounts: readonly AccountWire[]): ReadonlyMap<string, readonly AccountWire[]> {
  const groups = new Map<string, AccountWire[]>();
  for (const account of accounts) {
    const id = `${account.organization ?? `account:${account.id}`} ${account.baseUrl}`;
    groups.set(id, [...(groups.get(id) ?? []), account]);
  }
  return groups;
}

function organizationOf(id: string, members: Members, given: Given): Organization {
  const classes = new Set(members.windows.flatMap(({ modelClass }) => modelClass ?? []));
  const buckets = [...classes].flatMap((modelClass) => {
    const limits = bucketOf(members.windows.filter((window) => window.modelClass === modelClass));
    return limits === null ? [] : [[modelClass, limits] as const];
  });
  return {
    id,
    baseUrl: members.accounts[0]?.baseUrl ?? "",
    buckets: Object.fromEntries(buckets),
    plan: planOf(members, given),
  };
}

/** Per minute, as the API's own limits are (protocol.md, P27). */
function bucketOf(windows: readonly AccountWindowWire[]): BucketLimits | null {
  const limitOf = (name: string) => windows.find((window) => window.name === name)?.limit ?? null;
  const [requests, both] = [limitOf("requests"), limitOf("tokens")];
  const [input, output] = [limitOf("input-tokens") ?? both, limitOf("output-tokens") ?? both];
  if (requests === null && input === null && output === null) return null;
  return {
    requestsPerMinute: requests ?? UNLIMITED,
    inputTokensPerMinute: input ?? UNLIMITED,
    outputTokensPerMinute: output ?? UNLIMITED,
  };
}

function planOf(members: Members, given: Given): PlanLimits | null {
  const fiveHour = windowSize("5h", members, given);
  const sevenDay = windowSize("7d", members, given);
  if (fiveHour === null && sevenDay === null) return null;
  return {
    fiveHourMicroUsd: fiveHour?.microUsd ?? UNLIMITED,
    fiveHourResetMs: firstReset("5h", fiveHour?.resetMs ?? given.sinceMs, given.sinceMs),
    sevenDayMicroUsd: sevenDay?.microUsd ?? UNLIMITED,
    sevenDayResetMs: firstReset("7d", sevenDay?.resetMs ?? given.sinceMs, given.sinceMs),
  };
}

/** When the window that ran at `sinceMs` ended, if it always reset whole spans apart. */
function firstReset(name: keyof typeof SPANS_MS, resetMs: number, sinceMs: number): EpochMs {
  const spanMs = SPANS_MS[name];
  return epochMs(resetMs - (Math.ceil((resetMs - sinceMs) / spanMs) - 1) * spanMs);
}

/** Null when the provider did not describe it, it is hardly used, or the ledger does not reach back to its beginning. */
function windowSize(name: keyof typeof SPANS_MS, members: Members, { requests, sinceMs }: Given) {
  const seen = members.windows.filter((window) => window.name === name && window.resetAt !== null);
  const window = seen.sort((left, right) => (left.seenAt < right.seenAt ? 1 : -1))[0];
  if (window?.usedRatio === null || window?.resetAt == null || window.usedRatio < LEAST_USED_RATIO) return null;
  const resetMs = Date.parse(window.resetAt);
  const startMs = resetMs - SPANS_MS[name];
  if (startMs < sinceMs) return null;
  const names = new Set<string | null>(members.accounts.map((account) => account.name));
  const spent = requests
    .filter(({ account, startedAt }) => names.has(account) && Date.parse(startedAt) >= startMs)
    .reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0);
  return spent === 0 ? null : { microUsd: Math.round(spent / window.usedRatio), resetMs };
}

function isUnlimited({ buckets, plan }: Organization): boolean {
  return plan === null && Object.keys(buckets).length === 0;
}

function credentialOf(wire: AccountWire, organization: Organization): Credential {
  const account: Account = {
    id: accountId(wire.id),
    name: wire.name,
    provider: wire.provider,
    baseUrl: wire.baseUrl,
    credentialKind: wire.credentialKind,
    priority: wire.priority,
    weight: wire.weight,
    organization: wire.organization,
    workspace: wire.workspace,
    isPaused: false,
    createdAtMs: epochMs(Date.parse(wire.createdAt)),
    models: [],
  };
  return { account, organization, workspace: wire.workspace ?? "default", diesAtMs: null };
}
