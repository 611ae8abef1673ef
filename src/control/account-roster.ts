import type { Account, AccountId } from "../domain/account/account.ts";
import type { Secret } from "../kernel/secret.ts";
import type { AccountChanges, StoredAccount, Vault } from "./ports.ts";

/** An account whose envelope does not open: listed, never used. */
export type UnusableAccount = { readonly id: AccountId; readonly name: string; readonly reason: string };

/** Every account and its open credential, in memory: what the data plane reads on each request. */
export type AccountRoster = {
  /** Ordered by priority, then name. A new array after each change, never a changed one. */
  snapshot(): readonly Account[];
  credential(account: Pick<Account, "id">): Secret | null;
  unusableReason(id: AccountId): string | null;
  unusable(): readonly UnusableAccount[];
  /** By exact id, else by exact name. */
  find(nameOrId: string): Account | null;
  replaceAll(stored: readonly StoredAccount[]): void;
  put(account: Account, credential: Secret): void;
  change(id: AccountId, changes: AccountChanges): Account | null;
  drop(id: AccountId): void;
};

export function createAccountRoster(vault: Vault): AccountRoster {
  let accounts: readonly Account[] = [];
  const credentials = new Map<AccountId, Secret>();
  const reasons = new Map<AccountId, string>();

  return {
    snapshot: () => accounts,
    credential: (account) => credentials.get(account.id) ?? null,
    unusableReason: (id) => reasons.get(id) ?? null,
    unusable: () => accounts.flatMap((account) => unusableAccount(account, reasons.get(account.id))),
    find(nameOrId) {
      return (
        accounts.find((account) => account.id === nameOrId) ??
        accounts.find((account) => account.name === nameOrId) ??
        null
      );
    },
    replaceAll(stored) {
      credentials.clear();
      reasons.clear();
      for (const account of stored) {
        const opened = vault.openCredential(account.id, account.generation, account.credential);
        if (opened.ok) credentials.set(account.id, opened.value);
        else reasons.set(account.id, opened.error);
      }
      accounts = stored.map(toAccount).sort(byPriorityThenName);
    },
    put(account, credential) {
      credentials.set(account.id, credential);
      reasons.delete(account.id);
      accounts = [...accounts.filter(({ id }) => id !== account.id), account].sort(byPriorityThenName);
    },
    change(id, changes) {
      const before = accounts.find((account) => account.id === id);
      if (before === undefined) return null;
      const changed = withChanges(before, changes);
      accounts = accounts.map((account) => (account.id === id ? changed : account)).sort(byPriorityThenName);
      return changed;
    },
    drop(id) {
      credentials.delete(id);
      reasons.delete(id);
      accounts = accounts.filter((account) => account.id !== id);
    },
  };
}

function unusableAccount(account: Account, reason: string | undefined): readonly UnusableAccount[] {
  return reason === undefined ? [] : [{ id: account.id, name: account.name, reason }];
}

function toAccount(stored: StoredAccount): Account {
  const { credential: _envelope, generation: _generation, declaredOrganization, learnedOrganization, ...rest } = stored;
  return { ...rest, organization: declaredOrganization ?? learnedOrganization };
}

/** A learned organization fills the gap of a missing one; it never replaces one that is there. */
function withChanges(account: Account, { learnedOrganization, ...changes }: AccountChanges): Account {
  return { ...account, ...changes, organization: account.organization ?? learnedOrganization ?? null };
}

function byPriorityThenName(left: Account, right: Account): number {
  if (left.priority !== right.priority) return left.priority - right.priority;
  return left.name < right.name ? -1 : 1;
}
