/** The control plane over stores in memory and the real keyring, for the tests of control/, http/admin/ and cli/. */

import { randomBytes, randomUUID } from "node:crypto";
import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import { type AccountId, accountId, type KnownModel } from "../domain/account/account.ts";
import type { RequestId } from "../domain/ledger/record.ts";
import type { LogLevel } from "../kernel/log-level.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { durationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import { createAccountVault } from "../keyring/account-vault.ts";
import { createClientKeyMint } from "../keyring/client-key-mint.ts";
import { createClientKeySeals } from "../keyring/client-key-seal.ts";
import { createClientKeyVerifier } from "../keyring/client-key-verifier.ts";
import { valueSource } from "../keyring/given-sources.ts";
import { openKeyring } from "../keyring/keyring.ts";
import { masterKeyFromBytes } from "../keyring/master-key.ts";
import { createVault } from "../keyring/vault.ts";
import { createAccountService } from "./accounts.ts";
import type { AuditDraft, AuditedChanges, AuditReader, ChangeStores } from "./audit-port.ts";
import { createExplanationService } from "./explanation.ts";
import { createKeyService } from "./keys.ts";
import { createLogLevelService } from "./log-level.ts";
import type { LoginService } from "./logins.ts";
import type { LoginStore } from "./oauth-ports.ts";
import type {
  AccountCondition,
  AccountStore,
  BaseUrlRule,
  ClientKeyRecord,
  ClientKeyStore,
  Inspector,
  LedgerLag,
  ProbeFailure,
  RequestReader,
  RequestRow,
  RequestTally,
  StoredAccount,
} from "./ports.ts";
import { refusal } from "./refusal.ts";
import { createRequestService } from "./requests.ts";
import { createSelectionService } from "./selection.ts";
import { createStatsService } from "./stats.ts";
import { createTraceService } from "./trace.ts";
import type { WrappedDataKey } from "./vault-ports.ts";

export const START: EpochMs = epochMs(Date.UTC(2026, 10, 23, 12));

export type ControlWorld = Awaited<ReturnType<typeof createControlWorld>>;

/** `given` replaces the memory with another implementation of the same ports. */
type Stores = { readonly accountStore: AccountStore; readonly keyStore: ClientKeyStore };

export async function createControlWorld(given?: Stores) {
  const clock = { nowMs: START, now: () => clock.nowMs };
  const dataKeys: WrappedDataKey[] = [];
  const masterKey = masterKeyFromBytes(randomBytes(32));
  const store = {
    list: async () => dataKeys,
    insert: async (keys: readonly WrappedDataKey[]) => void dataKeys.push(...keys),
    async reserve(id: number, encryptions: number) {
      const counted = (key: WrappedDataKey) => ({ ...key, encryptions: key.encryptions + encryptions });
      dataKeys.splice(0, dataKeys.length, ...dataKeys.map((key) => (key.id === id ? counted(key) : key)));
    },
    async demote(id: number) {
      dataKeys.splice(0, dataKeys.length, ...dataKeys.map((key) => (key.id === id ? demoted(key) : key)));
    },
    async rewrap(key: WrappedDataKey) {
      dataKeys.splice(0, dataKeys.length, ...dataKeys.map((each) => (each.id === key.id ? key : each)));
    },
    async remove(id: number) {
      dataKeys.splice(0, dataKeys.length, ...dataKeys.filter((key) => key.id !== id));
    },
  };
  const keyring = await openKeyring({ masterKey, store, now: clock.now });
  const vault = createAccountVault(keyring);
  const verifier = createClientKeyVerifier(keyring, clock.now);

  const accountStore = createMemoryAccounts();
  const keyStore = createMemoryKeys();
  const used = given ?? { accountStore, keyStore };
  const settings = new Map<string, string>();
  const settingStore = {
    get: async (key: string) => settings.get(key) ?? null,
    async set(key: string, value: string) {
      settings.set(key, value);
    },
  };
  const changes = createRecordedChanges({
    accounts: used.accountStore,
    clientKeys: used.keyStore,
    settings: settingStore,
    dataKeys: store,
    logins: NO_LOGINS,
    people: NO_PEOPLE,
    prunings: { add: async () => undefined },
  });
  const ledger: {
    rows: RequestRow[];
    tallies: RequestTally[];
    decisions: Map<RequestId, string>;
    conversations: Map<RequestId, string>;
  } = { rows: [], tallies: [], decisions: new Map(), conversations: new Map() };
  const reader: RequestReader = {
    newest: async (limit) => [...ledger.rows].sort((a, b) => b.startedAtMs - a.startedAtMs).slice(0, limit),
    get: async (id) => ledger.rows.find((row) => row.id === id) ?? null,
    stats: async () => ledger.tallies,
    async explained(id) {
      const row = ledger.rows.find((each) => each.id === id);
      return row === undefined ? null : { row, decision: ledger.decisions.get(id) ?? null };
    },
    trace: async ({ sinceMs, afterId, limit }) =>
      ledger.rows
        .filter(({ id, startedAtMs }) => startedAtMs >= sinceMs && (afterId === null || id > afterId))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map((row) => ({ row, conversation: ledger.conversations.get(row.id) ?? null })),
  };

  const conditions = new Map<AccountId, AccountCondition>();
  const resets: AccountId[] = [];
  const unstored: unknown[] = [];
  const provider: { answer: Result<readonly KnownModel[], ProbeFailure>; askedWith: string[] } = {
    answer: ok([]),
    askedWith: [],
  };
  const findings = {
    integrity: ok(undefined) as Result<void, string>,
    permissions: ok(undefined) as Result<void, string>,
    lag: { pendingEntries: 0, oldestPendingMs: null, droppedEntries: 0 } as LedgerLag,
  };
  const inspector: Inspector = {
    databaseIntegrity: async () => findings.integrity,
    dataDirectoryPermissions: async () => findings.permissions,
    ledgerLag: () => findings.lag,
  };

  const openAccounts = () =>
    createAccountService({
      store: used.accountStore,
      changes,
      vault,
      pool: {
        describe: ({ id }) =>
          conditions.get(id) ?? { state: "ready", windows: [], reason: null, cause: null, untilMs: null },
        reset(id) {
          resets.push(id);
          conditions.delete(id);
        },
      },
      probe: {
        async listModels(_account, credential) {
          provider.askedWith.push(credential.reveal());
          return provider.answer;
        },
      },
      baseUrlRule: httpsOnly,
      clock,
      newAccountId: () => accountId(randomUUID()),
      onUnstored: (cause) => unstored.push(cause),
    });
  const foreignRows: ClientKeyId[] = [];
  const openKeys = () =>
    createKeyService({
      store: used.keyStore,
      settings: settingStore,
      changes,
      mint: createClientKeyMint(keyring),
      ring: verifier,
      seals: createClientKeySeals(keyring),
      clock,
      onForeignRow: ({ id }) => foreignRows.push(id),
    });

  const accounts = openAccounts();
  const keys = openKeys();
  const names = { accounts: accounts.snapshot, keyName: keys.nameOf };
  const requests = createRequestService(reader, names);
  const stats = createStatsService(reader, names, clock);
  const explanations = createExplanationService(reader, names);
  const trace = createTraceService(reader, names, clock);
  const selection = createSelectionService({
    store: settingStore,
    changes,
    rule: { strategy: "session", waitPriceUsdPerHour: 60, crossOrganization: "allow", maxWaitMs: durationMs(20_000) },
    strategyGivenBy: null,
  });
  const source = valueSource(null);
  const vaultService = createVault({
    keyring,
    sources: {
      configured: source,
      byKind: { file: source, value: source, passphrase: source, keychain: source, pkcs11: source },
    },
    dataKeys: store,
    stored: { columns: [], pepperUses: async () => new Map<number, number>() },
    audit: changes,
    now: clock.now,
    onFailure: (cause) => unstored.push(cause),
  });
  const audit: AuditReader = {
    sinks: async () => [
      {
        name: "file",
        target: "audit.log",
        state: "ok",
        behindSinceMs: null,
        takenSeq: changes.drafts.length,
        pendingEntries: 0,
        problem: null,
      },
    ],
    async prune({ olderThanDays, isDryRun }) {
      if (olderThanDays !== null && olderThanDays < 400) {
        return err(refusal("retention_too_short", "Cannot prune: it is kept for 400 days", "olderThanDays"));
      }
      return ok({ prunedTo: 7, entries: 7, olderThanMs: START, isDryRun, heldBack: null });
    },
    newest: async (limit) =>
      changes.drafts
        .map((draft, at) => ({ seq: at + 1, entry: JSON.stringify({ at: "2026-11-23T12:00:00.000Z", ...draft }) }))
        .reverse()
        .slice(0, limit),
    page: async ({ seq }) =>
      seq === 0
        ? { lines: ["first"], end: { seq: 1, isAfterCheckpoint: true } }
        : { lines: seq === 1 ? ["last"] : [], end: seq === 1 ? { seq: 2, isAfterCheckpoint: false } : null },
  };
  const noLogin = async () => err(refusal("login_unknown", "Cannot log in: this world has no logins"));
  const logins: LoginService = { begin: noLogin, beginAgain: noLogin, finish: noLogin };
  const level = { now: "info" as LogLevel };
  const logLevels = createLogLevelService({
    changes,
    log: {
      level: () => level.now,
      setLevel(next) {
        level.now = next;
      },
    },
  });
  const stores = { accountStore, keyStore, ledger };
  const services = {
    vault: vaultService,
    accounts,
    keys,
    logins,
    requests,
    stats,
    explanations,
    trace,
    selection,
    logLevels,
    inspector,
  };
  return {
    ...services,
    stores,
    changes,
    audit,
    clock,
    verifier,
    conditions,
    resets,
    unstored,
    provider,
    findings,
    openAccounts,
    openKeys,
    foreignRows,
  };
}

const demoted = (key: WrappedDataKey): WrappedDataKey => ({ ...key, state: "decrypt_only" });

const httpsOnly: BaseUrlRule = (text) =>
  text.startsWith("https://") ? ok(text.replace(/\/$/, "")) : err("only https is allowed");

/** Logins are tested over a real database (login-world.test.ts). */
const NO_LOGINS: LoginStore = {
  list: async () => [],
  read: async () => null,
  insert: async () => err("name_taken"),
  takeLease: async () => false,
  releaseLease: async () => undefined,
  rotate: async () => false,
  markNeedsReauth: async () => false,
};

/** People are tested over a real database (people-world.test.ts): whatever asks for them here fails. */
const NO_PEOPLE = {} as ChangeStores["people"];

/** Without a transaction: what it records is what was asked for. The real one is tested in storage/audit. */
function createRecordedChanges(stores: ChangeStores): AuditedChanges & { drafts: AuditDraft[] } {
  const drafts: AuditDraft[] = [];
  return {
    drafts,
    async change(draft, work) {
      const value = await work(stores);
      drafts.push(draft);
      return value;
    },
    async note(draft) {
      drafts.push(draft);
    },
  };
}

function createMemoryAccounts(): AccountStore & { rows: Map<AccountId, StoredAccount> } {
  const rows = new Map<AccountId, StoredAccount>();
  return {
    rows,
    list: async () => [...rows.values()],
    async insert(account) {
      if ([...rows.values()].some(({ name }) => name === account.name)) return err("name_taken");
      rows.set(account.id, account);
      return ok(undefined);
    },
    async update(id, changes) {
      const row = rows.get(id);
      if (row !== undefined) rows.set(id, { ...row, ...changes });
      return row !== undefined;
    },
    remove: async (id) => rows.delete(id),
  };
}

function createMemoryKeys(): ClientKeyStore & { rows: Map<ClientKeyId, ClientKeyRecord>; isBroken: boolean } {
  const rows = new Map<ClientKeyId, ClientKeyRecord>();
  const put = (id: ClientKeyId, changes: Partial<ClientKeyRecord>) => {
    if (store.isBroken) throw new Error("Cannot write the database: the disk is full");
    const row = rows.get(id);
    if (row !== undefined) rows.set(id, { ...row, ...changes });
    return row !== undefined;
  };
  const store = {
    rows,
    isBroken: false,
    list: async () => [...rows.values()].reverse(),
    async insert(record: ClientKeyRecord): Promise<Result<void, "name_taken">> {
      const holds = ({ name, revokedAtMs, rotatedTo }: ClientKeyRecord) =>
        name === record.name && revokedAtMs === null && rotatedTo === null;
      if ([...rows.values()].some(holds)) return err("name_taken");
      rows.set(record.id, record);
      return ok(undefined);
    },
    async revoke({ id, revokedAtMs, seal }: ClientKeyRecord) {
      return put(id, { revokedAtMs, seal });
    },
    async supersede({ id, rotatedTo, expiresAtMs, seal }: ClientKeyRecord) {
      return put(id, { rotatedTo, expiresAtMs, seal });
    },
    async reseal(records: readonly ClientKeyRecord[]) {
      for (const { id, seal } of records) put(id, { seal });
    },
  };
  return store;
}
