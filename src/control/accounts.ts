import type { Account, AccountId, KnownModel } from "../domain/account/account.ts";
import { type Pace, paceOf } from "../domain/ratelimit/pace.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { auditOfAccount, storeAccountChanges, valuesOfAccount } from "./account-audit.ts";
import { type AddAccountCommand, parseAccountDraft } from "./account-draft.ts";
import { type AccountRoster, createAccountRoster, type UnusableAccount } from "./account-roster.ts";
import { SYSTEM } from "./acting.ts";
import type { AuditAction } from "./audit-codes.ts";
import type { AuditedChanges } from "./audit-port.ts";
import { isLabel } from "./name.ts";
import type {
  AccountCondition,
  AccountStore,
  AccountWindow,
  BaseUrlRule,
  ControlClock,
  PoolView,
  ProbeUpstream,
  StoredAccount,
  Vault,
} from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** A window as the provider described it, with what that means now. */
export type PacedWindow = AccountWindow & Pace;

export type AccountReport = {
  readonly account: Account;
  readonly condition: Omit<AccountCondition, "windows"> & { readonly windows: readonly PacedWindow[] };
};

/** `warning`: the account was added, but the provider did not list its models. */
export type AddedAccount = AccountReport & { readonly warning: string | null };

export type AccountTest = {
  readonly account: Account;
  readonly isOk: boolean;
  /** The provider's HTTP status; null when no answer came, or nothing was sent. */
  readonly status: number | null;
  readonly detail: string;
  readonly modelCount: number;
};

export type AccountService = {
  /** Reads the store once, before the listener opens. Accounts that do not open are reported, not fatal. */
  load(): Promise<readonly UnusableAccount[]>;
  /** For the data plane (gateway/ports `Accounts`): in memory, synchronous. */
  snapshot(): readonly Account[];
  credential(account: Account): Secret | null;
  /**
   * An answer named the organization of an account that had none. The snapshot knows it at once, the store later; what
   * an operator declared, and a text that is no organization's id, changes nothing. Never throws.
   */
  learnOrganization(id: AccountId, organization: string): void;
  list(): readonly AccountReport[];
  show(nameOrId: string): Result<AccountReport, Refusal>;
  /** Stores first, then asks the provider for its models (at most 10 s); a provider that is silent refuses nothing. */
  add(command: AddAccountCommand): Promise<Result<AddedAccount, Refusal>>;
  /** An account that the logins have stored with its first token: from now on it is used. */
  enrol(account: Account, credential: Secret): Promise<AddedAccount>;
  /** A token that the logins have stored: the next request carries it. */
  renewed(id: AccountId, credential: Secret): void;
  /** The same after its owner logged in again: what was held against the old one is forgotten. Null: it is gone. */
  replaceCredential(id: AccountId, credential: Secret): Promise<AddedAccount | null>;
  pause(nameOrId: string): Promise<Result<AccountReport, Refusal>>;
  /** Also forgets benches and a dead verdict, so that the next request tries the account again. */
  resume(nameOrId: string): Promise<Result<AccountReport, Refusal>>;
  remove(nameOrId: string): Promise<Result<Account, Refusal>>;
  /** Asks the provider for the models of this credential, and keeps the answer. */
  test(nameOrId: string): Promise<Result<AccountTest, Refusal>>;
};

export type AccountServiceNeeds = {
  /** Only read; what changes goes through `changes`. */
  readonly store: Pick<AccountStore, "list">;
  readonly changes: AuditedChanges;
  readonly vault: Vault;
  readonly pool: PoolView;
  readonly probe: ProbeUpstream;
  readonly baseUrlRule: BaseUrlRule;
  readonly clock: ControlClock;
  readonly newAccountId: () => AccountId;
  /** Told when something that was learned could not be stored; the next answer teaches it again. */
  readonly onUnstored: (cause: unknown) => void;
};

/** Owns the in-memory snapshot of the accounts: memory follows the store, and the data plane reads memory. */
export function createAccountService(needs: AccountServiceNeeds): AccountService {
  const roster = createAccountRoster(needs.vault);
  const inside: Inside = { needs, roster };
  return {
    async load() {
      roster.replaceAll(await needs.store.list());
      return roster.unusable();
    },
    snapshot: roster.snapshot,
    credential: roster.credential,
    learnOrganization: (id, organization) => learnOrganization(inside, id, organization),
    list: () => roster.snapshot().map((account) => report(inside, account)),
    show(nameOrId) {
      const found = find(inside, "show account", nameOrId);
      return found.ok ? ok(report(inside, found.value)) : found;
    },
    add: (command) => addAccount(inside, command),
    enrol: (account, credential) => enrol(inside, account, credential),
    renewed(id, credential) {
      const account = roster.find(id);
      if (account !== null) roster.put(account, credential);
    },
    async replaceCredential(id, credential) {
      const account = roster.find(id);
      if (account === null) return null;
      needs.pool.reset(id);
      return enrol(inside, account, credential);
    },
    pause: (nameOrId) => changeAccount(inside, nameOrId, { doing: "pause account", action: "ACC002", isPaused: true }),
    async resume(nameOrId) {
      const found = find(inside, "resume account", nameOrId);
      if (found.ok) needs.pool.reset(found.value.id);
      return changeAccount(inside, nameOrId, { doing: "resume account", action: "ACC003", isPaused: false });
    },
    remove: (nameOrId) => removeAccount(inside, nameOrId),
    test: (nameOrId) => testAccount(inside, nameOrId),
  };
}

const FIRST_GENERATION = 1;

type Inside = { readonly needs: AccountServiceNeeds; readonly roster: AccountRoster };
type Change = { readonly doing: string; readonly action: AuditAction; readonly isPaused: boolean };

async function addAccount(
  { needs, roster }: Inside,
  command: AddAccountCommand,
): Promise<Result<AddedAccount, Refusal>> {
  const draft = parseAccountDraft(command, needs.baseUrlRule);
  if (!draft.ok) return draft;
  if (roster.find(draft.value.name) !== null) return err(nameTaken(draft.value.name));

  const { credential, ...fields } = draft.value;
  const account: Account = {
    ...fields,
    id: needs.newAccountId(),
    isPaused: false,
    createdAtMs: needs.clock.now(),
    models: [],
  };
  const envelope = needs.vault.sealCredential(account.id, FIRST_GENERATION, credential);
  const stored: StoredAccount = {
    ...withoutOrganization(account),
    declaredOrganization: account.organization,
    learnedOrganization: null,
    credential: envelope,
    generation: FIRST_GENERATION,
  };
  const inserted = await needs.changes.change(
    { ...auditOfAccount("ACC001", account), after: valuesOfAccount(account) },
    ({ accounts }) => accounts.insert(stored),
  );
  if (!inserted.ok) return err(nameTaken(account.name));
  return ok(await enrol({ needs, roster }, account, credential));
}

async function enrol(inside: Inside, account: Account, credential: Secret): Promise<AddedAccount> {
  inside.roster.put(account, credential);
  const listed = await learnModels(inside, account, credential);
  const warning = listed.ok ? null : `Cannot list the models of "${account.name}": ${listed.error.detail}`;
  return { ...report(inside, inside.roster.find(account.id) ?? account), warning };
}

function withoutOrganization({ organization: _declared, ...rest }: Account): Omit<Account, "organization"> {
  return rest;
}

async function changeAccount(
  inside: Inside,
  nameOrId: string,
  change: Change,
): Promise<Result<AccountReport, Refusal>> {
  const found = find(inside, change.doing, nameOrId);
  if (!found.ok) return found;
  const { isPaused } = change;
  const draft = {
    ...auditOfAccount(change.action, found.value),
    before: { isPaused: found.value.isPaused },
    after: { isPaused },
  };
  const isStored = await storeAccountChanges(inside.needs.changes, draft, { isPaused });
  const changed = isStored ? inside.roster.change(found.value.id, { isPaused }) : null;
  return changed === null ? err(notFound(change.doing, nameOrId)) : ok(report(inside, changed));
}

async function removeAccount(inside: Inside, nameOrId: string): Promise<Result<Account, Refusal>> {
  const found = find(inside, "remove account", nameOrId);
  if (!found.ok) return found;
  const { id } = found.value;
  const draft = { ...auditOfAccount("ACC004", found.value), before: valuesOfAccount(found.value) };
  const removed = await inside.needs.changes.change(draft, async ({ accounts }) =>
    (await accounts.remove(id)) ? ok(undefined) : err("account_not_found"),
  );
  inside.roster.drop(found.value.id);
  inside.needs.pool.reset(found.value.id);
  return removed.ok ? found : err(notFound("remove account", nameOrId));
}

async function testAccount(inside: Inside, nameOrId: string): Promise<Result<AccountTest, Refusal>> {
  const found = find(inside, "test account", nameOrId);
  if (!found.ok) return found;
  const account = found.value;
  const credential = inside.roster.credential(account);
  if (credential === null) return ok(unopened(account, inside.roster.unusableReason(account.id)));
  const listed = await learnModels(inside, account, credential);
  if (!listed.ok) return ok({ account, isOk: false, ...listed.error, modelCount: account.models.length });
  const modelCount = listed.value.length;
  return ok({ account, isOk: true, status: 200, detail: `The provider lists ${modelCount} models`, modelCount });
}

/** Asks the provider, and keeps its answer when it says something new. */
async function learnModels({ needs, roster }: Inside, account: Account, credential: Secret) {
  const listed = await needs.probe.listModels(account, credential);
  if (!listed.ok || haveSameModels(listed.value, account.models)) return listed;
  const changes = { models: listed.value };
  const draft = {
    ...auditOfAccount("ACC006", account),
    before: { modelCount: account.models.length },
    after: { modelCount: listed.value.length },
  };
  if (await storeAccountChanges(needs.changes, draft, changes)) roster.change(account.id, changes);
  return listed;
}

function learnOrganization({ needs, roster }: Inside, id: AccountId, organization: string): void {
  const account = roster.find(id);
  if (account === null || account.organization !== null || !isLabel(organization)) return;
  const changes = { learnedOrganization: organization };
  roster.change(id, changes);
  const draft = { ...auditOfAccount("ACC005", account), actor: SYSTEM, after: { organization } };
  void storeAccountChanges(needs.changes, draft, changes).catch(needs.onUnstored);
}

function find({ roster }: Inside, doing: string, nameOrId: string): Result<Account, Refusal> {
  const account = roster.find(nameOrId);
  return account === null ? err(notFound(doing, nameOrId)) : ok(account);
}

function report({ needs, roster }: Inside, account: Account): AccountReport {
  const condition = conditionOf(account, needs.pool, roster.unusableReason(account.id));
  const nowMs = needs.clock.now();
  const windows = condition.windows.map((window) => ({ ...window, ...paceOf(window, nowMs) }));
  return { account, condition: { ...condition, windows } };
}

function conditionOf(account: Account, pool: PoolView, unusableReason: string | null): AccountCondition {
  const condition = pool.describe(account);
  if (unusableReason !== null) {
    return {
      ...condition,
      state: "dead",
      reason: `Cannot open its credential: ${unusableReason}`,
      cause: null,
      untilMs: null,
    };
  }
  // The operator's own pause is what they look for first; what the pool thinks stays visible in the windows.
  return account.isPaused
    ? { ...condition, state: "paused", reason: "Paused by an operator", cause: null, untilMs: null }
    : condition;
}

function unopened(account: Account, reason: string | null): AccountTest {
  const detail = `Cannot open its credential: ${reason ?? "it was removed"}`;
  return { account, isOk: false, status: null, detail, modelCount: account.models.length };
}

function haveSameModels(left: readonly KnownModel[], right: readonly KnownModel[]): boolean {
  return (
    left.length === right.length &&
    left.every((model, at) => model.id === right[at]?.id && model.displayName === right[at]?.displayName)
  );
}

function notFound(doing: string, nameOrId: string): Refusal {
  return refusal("account_not_found", `Cannot ${doing} ${quoted(nameOrId)}: no account has this name or id`);
}

function nameTaken(name: string): Refusal {
  return refusal("name_taken", `Cannot add account "${name}": another account has this name`, "name");
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
