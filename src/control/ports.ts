import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { KeyAccess } from "../domain/access/key-access.ts";
import type { UserId } from "../domain/access/user-id.ts";
import type { Account, AccountId, KnownModel } from "../domain/account/account.ts";
import type { RequestId, RequestOutcome } from "../domain/ledger/record.ts";
import type { Usage } from "../domain/usage/usage.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";

// --- storage ----------------------------------------------------------------------------------------------------

/** An account as the database holds it. `credential` is an envelope that only the vault can open. */
export type StoredAccount = Omit<Account, "organization"> & {
  /** What the operator said; wins over what was learned. */
  readonly declaredOrganization: string | null;
  /** What the provider named in an answer (`anthropic-organization-id`). */
  readonly learnedOrganization: string | null;

  readonly credential: Uint8Array;
  /** Starts at 1 and grows with every new credential; bound into the envelope, so that an old one cannot be put back. */
  readonly generation: number;
};

export type AccountChanges = Partial<
  Pick<Account, "isPaused" | "priority" | "weight" | "workspace" | "models"> &
    Pick<StoredAccount, "learnedOrganization">
>;

export interface AccountStore {
  /** Every account, at most 10,000. */
  list(): Promise<readonly StoredAccount[]>;
  insert(account: StoredAccount): Promise<Result<void, "name_taken">>;
  /** False when there is no such account. */
  update(id: AccountId, changes: AccountChanges): Promise<boolean>;
  /** Forgets the credential for good. False when there is no such account. */
  remove(id: AccountId): Promise<boolean>;
}

/** What is kept of a client key: never the key itself. */
export type ClientKeyRecord = {
  readonly id: ClientKeyId;
  readonly name: string;
  readonly hmac: Uint8Array;
  /** Which pepper made `hmac`. */
  readonly pepperVersion: number;
  /** Whose it is; null: the operator's. */
  readonly ownerId: UserId | null;
  readonly access: KeyAccess;
  readonly createdAtMs: EpochMs;
  readonly revokedAtMs: EpochMs | null;
  readonly expiresAtMs: EpochMs | null;
  readonly lastUsedAtMs: EpochMs | null;
  /** The key that took its place; from then on that one holds the name. */
  readonly rotatedTo: ClientKeyId | null;
  /** MAC over all of the above but `lastUsedAtMs`; null: stored by a version that made none. */
  readonly seal: Uint8Array | null;
};

export interface ClientKeyStore {
  /** Every key, revoked ones included, newest first, at most 200,000. */
  list(): Promise<readonly ClientKeyRecord[]>;
  /** `name_taken` when a key that is neither revoked nor rotated has this name. */
  insert(record: ClientKeyRecord): Promise<Result<void, "name_taken">>;
  /** Stores `revokedAtMs` and the seal. False when there is no such key, or it was revoked before. */
  revoke(record: ClientKeyRecord): Promise<boolean>;
  /** Stores `rotatedTo`, `expiresAtMs` and the seal. False when there is no such key, or it is revoked or rotated. */
  supersede(record: ClientKeyRecord): Promise<boolean>;
  /** Stores the seals of rows that have none. */
  reseal(records: readonly ClientKeyRecord[]): Promise<void>;
}

/** One line of the ledger. Fields that only a settled request has are null while it is in flight. */
export type RequestRow = {
  readonly id: RequestId;
  readonly startedAtMs: EpochMs;
  readonly clientKeyId: ClientKeyId;
  /** The account that gave the answer, else the first one tried. May have been removed since. */
  readonly accountId: AccountId | null;
  readonly method: string;
  readonly path: string;
  readonly model: string | null;
  readonly isStream: boolean;
  readonly outcome: RequestOutcome;
  readonly status: number | null;
  readonly attempts: number;
  readonly queueMs: DurationMs | null;
  readonly firstByteMs: DurationMs | null;
  readonly totalMs: DurationMs | null;
  readonly usage: Usage | null;
  readonly errorType: string | null;
  readonly upstreamRequestId: string | null;
  /** At list prices; null when not metered, or the price is not known. */
  readonly costMicroUsd: number | null;
  /** Thinking blocks that upstream removed from the input; null when it said nothing of them. */
  readonly thinkingDropped: number | null;
};

/** A line of the ledger with the reasons for where it went. */
export type ExplainedRow = {
  readonly row: RequestRow;
  /** `encodeDecision` of domain/decision; null when none was kept. */
  readonly decision: string | null;
};

export type TracedRow = {
  readonly row: RequestRow;
  /** Equal for the requests of one conversation; null when it had none, or was not known. */
  readonly conversation: string | null;
};

/** Where a page of the trace starts: after `afterId` when it is given, else at the first request since `sinceMs`. */
export type TracePage = { readonly sinceMs: EpochMs; readonly afterId: RequestId | null; readonly limit: number };

export type RequestFilter = {
  readonly accountId?: AccountId;
  readonly clientKeyId?: ClientKeyId;
  /** One of these. Empty: none, so nothing is found. */
  readonly clientKeyIds?: readonly ClientKeyId[];
  readonly outcome?: RequestOutcome;
};

/** Requests that share account, model and outcome, added up. A figure that upstream did not say counts as 0. */
export type RequestTally = {
  readonly accountId: AccountId | null;
  readonly model: string | null;
  readonly outcome: RequestOutcome;
  readonly requestCount: number;
  readonly inputTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly cacheReadTokens: number;
  readonly outputTokens: number;
};

export interface RequestReader {
  /** Newest first by start. `limit` is 1..1000. Sees what the spool has already handed to the database. */
  newest(limit: number, filter?: RequestFilter): Promise<readonly RequestRow[]>;
  get(id: RequestId): Promise<RequestRow | null>;
  /** Requests that started at or after `sinceMs`; at most 10,000 tallies, the largest first. */
  stats(sinceMs: EpochMs, filter?: Pick<RequestFilter, "clientKeyIds">): Promise<readonly RequestTally[]>;
  explained(id: RequestId): Promise<ExplainedRow | null>;
  /** Settled requests, oldest first. `limit` is 1..5000. */
  trace(page: TracePage): Promise<readonly TracedRow[]>;
}

/** Settings that are changed while the gateway runs, and outlive it. */
export interface SettingStore {
  /** Null when it was never set. */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
}

// --- keyring ----------------------------------------------------------------------------------------------------

export interface Vault {
  /** The envelope is bound to the account and the generation: it opens for no other pair. */
  sealCredential(accountId: AccountId, generation: number, credential: Secret): Uint8Array;
  /** The error says why in words ("made with another master key"), and nothing of the content. */
  openCredential(accountId: AccountId, generation: number, envelope: Uint8Array): Result<Secret, string>;
}

export type MintedKey = {
  readonly id: ClientKeyId;
  readonly key: Secret;
  readonly hmac: Uint8Array;
  readonly pepperVersion: number;
};

export interface KeyMint {
  create(): MintedKey;
  /** The key's text, for the one answer that hands it to its owner. It cannot be shown again. */
  disclose(minted: MintedKey): string;
}

/** Tells a row that the gateway wrote from one that somebody changed in the database. */
export interface KeySeals {
  /** What is in `seal` does not count. */
  seal(record: ClientKeyRecord): Uint8Array;
  isGenuine(record: ClientKeyRecord): boolean;
}

/** The verifier of the data plane, in memory. Both calls take effect before they return. */
export interface KeyRing {
  set(record: ClientKeyRecord): void;
  remove(id: ClientKeyId): void;
}

// --- the pool, upstream and the process -------------------------------------------------------------------------

/** needs_reauth: its owner must log in again. dead: the provider, or our own vault, refuses the credential. */
export type AccountState = "ready" | "limited" | "paused" | "needs_reauth" | "dead";

/** One rate limit as the provider last described it. `null` means that it did not say. */
export type AccountWindow = {
  /** The provider's name, e.g. "5h", "7d", "input-tokens". */
  readonly name: string;
  /** Null when the window covers every model. */
  readonly modelClass: string | null;
  readonly status: string | null;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** 0..1; more than 1 when overage is allowed. */
  readonly usedRatio: number | null;
  readonly resetAtMs: EpochMs | null;
  readonly seenAtMs: EpochMs;
};

export type AccountCondition = {
  readonly state: AccountState;
  readonly windows: readonly AccountWindow[];
  /** Why it is not ready, for a person. */
  readonly reason: string | null;
  /** Which status or header said so, e.g. "status 429, retry-after". */
  readonly cause: string | null;
  readonly untilMs: EpochMs | null;
};

export interface PoolView {
  describe(account: Account): AccountCondition;
  /** Forgets every bench and verdict of one account: it is tried again at once. */
  reset(accountId: AccountId): void;
}

/** `status` is null when no answer came. `detail` is a person's line without body, header values or credential. */
export type ProbeFailure = { readonly status: number | null; readonly detail: string };

export interface ProbeUpstream {
  /** Lists the models that the credential may use. Ends within 10 s. */
  listModels(account: Account, credential: Secret): Promise<Result<readonly KnownModel[], ProbeFailure>>;
}

/** Decides whether an upstream may be called, and gives its one spelling (as in `Account.baseUrl`). */
export type BaseUrlRule = (text: string) => Result<string, string>;

export type LedgerLag = {
  /** Entries that are on disk but not in the database yet. */
  readonly pendingEntries: number;
  /** Age of the oldest of them; null when there is none. */
  readonly oldestPendingMs: DurationMs | null;
  /** Lost since the start, because the disk refused them and memory was full. */
  readonly droppedEntries: number;
};

/** What `doctor` asks of the running process. */
export interface Inspector {
  /** Runs the engine's own integrity check; the error is its first complaint. */
  databaseIntegrity(): Promise<Result<void, string>>;
  /** The error says which path has which mode and what it should be. */
  dataDirectoryPermissions(): Promise<Result<void, string>>;
  ledgerLag(): LedgerLag;
}

/** Wall clock, so that tests own the time. */
export interface ControlClock {
  now(): EpochMs;
}
