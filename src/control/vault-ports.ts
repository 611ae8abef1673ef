import type { EpochMs } from "../kernel/time.ts";

/** What a data key is for. A data key of one purpose never opens an envelope of another. */
export const DATA_KEY_PURPOSES = [
  "accounts",
  "apikey-pepper",
  "audit-sign",
  "login-pepper",
  "session-mac",
  "totp",
] as const;

export type DataKeyPurpose = (typeof DATA_KEY_PURPOSES)[number];

/** What the key of a purpose does. Only what encrypts wears out: a keyed hash may be made without limit. */
const WORK: Readonly<Record<DataKeyPurpose, "encrypts" | "hashes">> = {
  accounts: "encrypts",
  "apikey-pepper": "hashes",
  "audit-sign": "encrypts",
  "login-pepper": "hashes",
  "session-mac": "hashes",
  totp: "encrypts",
};

export function doesEncrypt(purpose: DataKeyPurpose): boolean {
  return WORK[purpose] === "encrypts";
}

/** A data key as it is stored: sealed under the master key. */
export type WrappedDataKey = {
  /** 1..2^31-1, random: a key that was lost is told apart from a key that was changed. */
  readonly id: number;
  readonly purpose: DataKeyPurpose;
  /** Which master key wraps it: 16 hex characters, see `MasterKey.id`. */
  readonly kekId: string;
  readonly wrapped: Uint8Array;
  readonly createdAtMs: EpochMs;
  /** Encryptions that were reserved so far: at least those that were made. */
  readonly encryptions: number;
  /** One active key per purpose seals; the others only open what is older. */
  readonly state: "active" | "decrypt_only";
};

export interface DataKeyStore {
  list(): Promise<readonly WrappedDataKey[]>;
  /** All or none, durable when it resolves. Rejects when an id is taken. */
  insert(keys: readonly WrappedDataKey[]): Promise<void>;
  /** Adds to the encryptions of a key; durable when it resolves. */
  reserve(id: number, encryptions: number): Promise<void>;
}

/** What a rotation may change, all inside one transaction. */
export interface DataKeyChanges extends DataKeyStore {
  /** Active becomes decrypt_only. */
  demote(id: number): Promise<void>;
  /** Replaces the wrapping; rejects when the key is not wrapped by `fromKekId` any more. */
  rewrap(key: WrappedDataKey, fromKekId: string): Promise<void>;
  /** Gone for good. */
  remove(id: number): Promise<void>;
}

/** Stored envelopes of one column, whichever table they are in. */
export interface SealedColumn {
  readonly purpose: DataKeyPurpose;
  readonly table: string;
  readonly column: string;
  /** In the order of `rowId`, after `afterId`. */
  page(afterId: string, limit: number): Promise<readonly SealedValue[]>;
  /** Only while the row still holds exactly `before`: a newer credential always wins. False when it does not. */
  replace(before: SealedValue, envelope: Uint8Array): Promise<boolean>;
}

export type SealedValue = { readonly rowId: string; readonly generation: number; readonly envelope: Uint8Array };

/** What the data keys seal and check. */
export interface VaultStore {
  readonly columns: readonly SealedColumn[];
  /** How many live client keys each pepper still checks. */
  pepperUses(): Promise<ReadonlyMap<number, number>>;
}
