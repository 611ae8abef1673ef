import type { Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { AuditCode } from "./audit-codes.ts";
import type { LoginStore } from "./oauth-ports.ts";
import type { PeopleStores } from "./people-ports.ts";
import type { AccountStore, ClientKeyStore, SettingStore } from "./ports.ts";
import type { Refusal } from "./refusal.ts";
import type { DataKeyChanges } from "./vault-ports.ts";

/** operator: whoever may open the Unix socket. system: the gateway itself. */
export type AuditActor = {
  readonly type: "operator" | "user" | "system";
  readonly id: string;
  /** Null for the Unix socket and for the gateway itself. */
  readonly ip: string | null;
};

export type AuditValue = string | number | boolean | null;

/**
 * What happened to which object. Names, numbers and states only: a secret never belongs here. As a second line of
 * defence what looks like a credential is replaced, and text over 256 characters is cut.
 */
export type AuditDraft = {
  readonly code: AuditCode;
  readonly actor: AuditActor;
  readonly object: { readonly type: string; readonly id: string; readonly name: string | null };
  readonly before?: Readonly<Record<string, AuditValue>>;
  readonly after?: Readonly<Record<string, AuditValue>>;
  readonly reason?: string;
};

/** The stores inside the transaction of one change. */
export type ChangeStores = {
  readonly accounts: AccountStore;
  readonly clientKeys: ClientKeyStore;
  readonly settings: SettingStore;
  readonly dataKeys: DataKeyChanges;
  readonly logins: LoginStore;
  readonly people: PeopleStores;
  readonly prunings: PruningStore;
};

/** A signed mark of what was removed of the audit log. */
export type AuditPruning = {
  /** The last entry that is removed. */
  readonly seq: number;
  readonly atMs: EpochMs;
  /** As signed. */
  readonly statement: string;
  readonly signature: Uint8Array;
};

export interface PruningStore {
  /** From now on the log begins behind the mark. */
  add(pruning: AuditPruning): Promise<void>;
}

export interface AuditedChanges {
  /**
   * The work and its audit row in one transaction: both or neither. When the work throws, or gives a Result that is not
   * ok, all is undone and the E code of the draft is noted instead. The work must use the stores that it is given: any
   * other store of the control plane waits for the end of this transaction, and neither would ever end.
   * @throws StoreUnavailable when the row cannot be written; then nothing was changed.
   */
  change<Value>(draft: AuditDraft, work: (stores: ChangeStores) => Promise<Value>): Promise<Value>;
  /** An event without a change (authentication, refusal, verification, start, stop). Rejects like `change`. */
  note(draft: AuditDraft): Promise<void>;
}

/** A place between two lines of the log: after the entry `seq`, and after its checkpoint when `isAfterCheckpoint`. */
export type AuditPlace = { readonly seq: number; readonly isAfterCheckpoint: boolean };

/** `end` is null when there is nothing after this page. */
export type AuditPage = { readonly lines: readonly string[]; readonly end: AuditPlace | null };

/** A copy of one line of the log on its way to another machine. */
export type RemoteLine = {
  readonly seq: number;
  /** As in an export, without its line break. */
  readonly text: string;
  readonly atMs: EpochMs;
};

/** A place elsewhere that takes copies of the audit log. */
export interface AuditRemote {
  readonly name: "syslog" | "webhook";
  /** Where, for a person: no path, no secret. */
  readonly target: string;
  /** All of them in order, or an error in words without a secret: then any of them may have arrived. At most 15 s. */
  send(lines: readonly RemoteLine[]): Promise<Result<void, string>>;
  close(): void;
}

export type AuditSinkReport = {
  readonly name: "file" | "syslog" | "webhook";
  readonly target: string;
  /** behind: entries wait. blocked: for longer, or for more, than may wait; then changes are refused, if so configured. */
  readonly state: "ok" | "behind" | "blocked";
  /** When the first line was made that it does not have; null when it has all. */
  readonly behindSinceMs: EpochMs | null;
  readonly takenSeq: number;
  readonly pendingEntries: number;
  /** Why the last try failed; null when it did not. */
  readonly problem: string | null;
};

export type AuditPruneReport = {
  /** Entries up to here are removed, or would be; null when none is old enough. */
  readonly prunedTo: number | null;
  readonly entries: number;
  readonly olderThanMs: EpochMs;
  readonly isDryRun: boolean;
  /** Why less was removed than is old enough; null when all was. */
  readonly heldBack: string | null;
};

export interface AuditReader {
  sinks(): Promise<readonly AuditSinkReport[]>;
  /** Removes entries older than so many days, at least as many as the configuration says. */
  prune(order: {
    readonly olderThanDays: number | null;
    readonly isDryRun: boolean;
  }): Promise<Result<AuditPruneReport, Refusal>>;
  /** Newest first, `limit` 1..1000; `entry` is canonical JSON. */
  newest(limit: number): Promise<readonly { readonly seq: number; readonly entry: string }[]>;
  /** Lines of an export. The first page starts at seq 0, says whose log it is, and is itself noted in the log. */
  page(after: AuditPlace): Promise<AuditPage>;
}
