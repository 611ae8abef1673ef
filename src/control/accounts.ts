import type { Account, AccountId, KnownModel } from "../domain/account/account.ts";
import { type Pace, paceOf } from "../domain/ratelimit/pace.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { type AddAccountCommand, parseAccountDraft } from "./account-draft.ts";
import { type AccountRoster, createAccountRoster, type UnusableAccount } from "./account-roster.ts";
import { isLabel } from "./name.ts";
import type {
  AccountChanges,
  AccountCondition,
  AccountStore,
  AccountWindow,
  BaseUrlRule,
  ControlClock,
  PoolView,
  ProbeUpstream,
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
  pause(nameOrId: string): Promise<Result<AccountReport, Refusal>>;
  /** Also forgets benches and a dead verdict, so that the next request tries the account again. */
  resume(nameOrId: string): Promise<Result<AccountReport, Refusal>>;
  remove(nameOrId: string): Promise<Result<Account, Refusal>>;
  /** Asks the provider for the models of this credential, and keeps the answer. */
  test(nameOrId: string): Promise<Result<AccountTest, Refusal>>;
};

export type AccountServiceNeeds = {
  readonly store: AccountStore;
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
    pause: (nameOrId) => changeAccount(inside, nameOrId, { doing: "pause account", changes: { isPaused: true } }),
    async resume(nameOrId) {
      const found = find(inside, "resume account", nameOrId);
      if (found.ok) needs.pool.reset(found.value.id);
      return changeAccount(inside, nameOrId, { doing: "resume account", changes: { isPaused: false } });
    },
    remove: (nameOrId) => removeAccount(inside, nameOrId),
    test: (nameOrId) => testAccount(inside, nameOrId),
  };
}

const FIRST_GENERATION = 1;

type Inside = { readonly needs: AccountServiceNeeds; readonly roster: AccountRoster };
type Change = { readonly doing: string; readonly changes: AccountChanges };

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
  const inserted = await needs.store.insert({
    ...withoutOrganization(account),
    declaredOrganization: account.organization,
    learnedOrganization: null,
    credential: envelope,
    generation: FIRST_GENERATION,
  });
  if (!inserted.ok) return err(nameTaken(account.name));
  roster.put(account, credential);

  const listed = await learnModels({ needs, roster }, account, credential);
  const warning = listed.ok ? null : `Cannot list the models of "${account.name}": ${listed.error.detail}`;
  return ok({ ...report({ needs, roster }, roster.find(account.id) ?? account), warning });
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
  const isStored = await inside.needs.store.update(found.value.id, change.changes);
  const changed = isStored ? inside.roster.change(found.value.id, change.changes) : null;
  return changed === null ? err(notFound(change.doing, nameOrId)) : ok(report(inside, changed));
}

async function removeAccount(inside: Inside, nameOrId: string): Promise<Result<Account, Refusal>> {
  const found = find(inside, "remove account", nameOrId);
  if (!found.ok) return found;
  const isRemoved = await inside.needs.store.remove(found.value.id);
  inside.roster.drop(found.value.id);
  inside.needs.pool.reset(found.value.id);
  return isRemoved ? found : err(notFound("remove account", nameOrId));
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
  if (await needs.store.update(account.id, changes)) roster.change(account.id, changes);
  return listed;
}

function learnOrganization({ needs, roster }: Inside, id: AccountId, organization: string): void {
  const account = roster.find(id);
  if (account === null || account.organization !== null || !isLabel(organization)) return;
  const changes = { learnedOrganization: organization };
  roster.change(id, changes);
  void needs.store.update(id, changes).catch(needs.onUnstored);
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
