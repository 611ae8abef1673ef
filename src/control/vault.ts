import type { Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";
import type { Refusal } from "./refusal.ts";
import type { DataKeyPurpose } from "./vault-ports.ts";

/**
 * Where the master key comes from: a file of its own, a value that the operator gives, words, the keychain of the
 * operating system, or a token that keeps it.
 */
export const MASTER_KEY_KINDS = ["file", "value", "passphrase", "keychain", "pkcs11"] as const;

export type MasterKeyKind = (typeof MASTER_KEY_KINDS)[number];

export type DataKeyReport = {
  readonly id: number;
  readonly purpose: DataKeyPurpose;
  readonly isActive: boolean;
  readonly createdAtMs: EpochMs;
  /** Made by it so far, counting at most one block too many; 0 for a key that makes none. */
  readonly encryptions: number;
  /** Sealed values, or live client keys, that need it. */
  readonly uses: number;
};

export type VaultStatus = {
  readonly masterKeyId: string;
  readonly masterKeyKind: MasterKeyKind;
  /** False when it is in a token that does not answer: what is open stays open, but no key can be changed. */
  readonly isMasterKeyReachable: boolean;
  /** By purpose, the active one first. */
  readonly dataKeys: readonly DataKeyReport[];
  /** True while values are sealed anew by the active keys. */
  readonly isReencrypting: boolean;
};

export type SealProblem = {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  /** For a person; nothing of the content. */
  readonly problem: string;
};

export type VaultVerification = {
  readonly dataKeyCount: number;
  readonly sealedCount: number;
  readonly problemCount: number;
  /** The first 100. */
  readonly problems: readonly SealProblem[];
};

export type MasterKeyRotation = {
  /** Null: another key of the source in use. */
  readonly to: MasterKeyKind | null;
  /** Absolute path, on the gateway's machine, of the new key or passphrase. Null: the source makes the key. */
  readonly file: string | null;
};

export type RotatedMasterKey = {
  readonly masterKeyKind: MasterKeyKind;
  readonly masterKeyId: string;
  readonly previousMasterKeyId: string;
  /** What the operator must do before the next start; null when nothing. */
  readonly nextStep: string | null;
};

export type VaultService = {
  status(): Promise<VaultStatus>;
  /** A new active key for each; sealing everything anew goes on in the background. */
  rotateDataKeys(purposes: readonly DataKeyPurpose[]): Promise<Result<VaultStatus, Refusal>>;
  rotateMasterKey(order: MasterKeyRotation): Promise<Result<RotatedMasterKey, Refusal>>;
  /** Opens every sealed value and every stored data key. */
  verify(): Promise<VaultVerification>;
};
