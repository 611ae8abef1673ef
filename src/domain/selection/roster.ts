import { type Account, type AccountId, cacheGroupOf, type LimitGroup, limitGroupOf } from "../account/account.ts";
import { type MoveKind, moveKind } from "../affinity/move.ts";

/** An account with what is derived from it, so that choosing builds no strings. */
export type Entry = {
  readonly account: Account;
  readonly limitGroup: LimitGroup;
  /** Of the account's platform too: two platforms never share a cache. */
  readonly cache: string;
  readonly platform: string;
  /** In the order of priority, then name. */
  readonly position: number;
};

/** Accounts among which a request may look. */
export type Circle = {
  /** Unique in its roster. */
  readonly name: string;
  readonly entries: readonly Entry[];
};

/** The accounts, by the circles of a move: nearer ones first. */
export type Roster = {
  readonly accounts: readonly Account[];
  readonly all: Circle;
  find(id: AccountId): Entry | null;
  organizationOf(entry: Entry): Circle;
  platformOf(entry: Entry): Circle;
};

/** `moveKind` of their accounts, without building strings. */
export function kindOf(from: Entry, to: Entry): MoveKind {
  if (from.platform !== to.platform) {
    return "other_platform";
  }
  if (from.cache === to.cache) {
    return "same_cache";
  }
  return from.limitGroup === to.limitGroup ? "same_organization" : "other_organization";
}

/** @param accounts sorted by priority, then name */
export function createRoster(accounts: readonly Account[]): Roster {
  const entries = entriesOf(accounts);
  const byId = new Map(entries.map((entry) => [entry.account.id, entry]));
  const organizations = circlesOf(entries, (entry) => entry.limitGroup);
  const platforms = circlesOf(entries, (entry) => entry.platform);
  const all: Circle = { name: "all", entries };
  return {
    accounts,
    all,
    find: (id) => byId.get(id) ?? null,
    organizationOf: (entry) => organizations.get(entry.limitGroup) ?? all,
    platformOf: (entry) => platforms.get(entry.platform) ?? all,
  };
}

/** An account that is in no roster any more, for a request that still goes there. */
export function entryOf(account: Account): Entry {
  return newEntry(account, { platform: `${account.provider} ${account.baseUrl}`, position: 0 });
}

function entriesOf(accounts: readonly Account[]): readonly Entry[] {
  const platformOf = createPlatforms();
  return accounts.map((account, position) => newEntry(account, { platform: platformOf(account), position }));
}

function newEntry(account: Account, { platform, position }: Pick<Entry, "platform" | "position">): Entry {
  const cache = `${platform} ${cacheGroupOf(account)}`;
  return { account, limitGroup: limitGroupOf(account), cache, platform, position };
}

/** Asks `moveKind` what a platform is, once for each base URL. */
function createPlatforms(): (account: Account) => string {
  const firsts: Account[] = [];
  const known = new Map<string, string>();
  return (account) => {
    const key = `${account.provider} ${account.baseUrl}`;
    const platform = known.get(key);
    if (platform !== undefined) {
      return platform;
    }
    const found = firsts.findIndex((first) => moveKind(first, account) !== "other_platform");
    const name = `platform:${found === -1 ? firsts.push(account) - 1 : found}`;
    known.set(key, name);
    return name;
  };
}

function circlesOf(entries: readonly Entry[], nameOf: (entry: Entry) => string): ReadonlyMap<string, Circle> {
  const members = new Map<string, Entry[]>();
  for (const entry of entries) {
    const name = nameOf(entry);
    const list = members.get(name);
    if (list === undefined) {
      members.set(name, [entry]);
    } else {
      list.push(entry);
    }
  }
  return new Map([...members].map(([name, list]) => [name, { name, entries: list }]));
}
