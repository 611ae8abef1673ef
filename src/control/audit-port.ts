import type { AuditCode } from "./audit-codes.ts";
import type { LoginStore } from "./oauth-ports.ts";
import type { PeopleStores } from "./people-ports.ts";
import type { AccountStore, ClientKeyStore, SettingStore } from "./ports.ts";
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
};

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

export interface AuditReader {
  /** Newest first, `limit` 1..1000; `entry` is canonical JSON. */
  newest(limit: number): Promise<readonly { readonly seq: number; readonly entry: string }[]>;
  /** Lines of an export. The first page starts at seq 0, says whose log it is, and is itself noted in the log. */
  page(after: AuditPlace): Promise<AuditPage>;
}
