import type { MasterKeyKind } from "../control/vault.ts";
import type { MasterKey } from "./master-key.ts";

/**
 * Where the master key comes from. Exactly one source is configured, and nothing is looked for anywhere else: a source
 * that does not have the key refuses the start.
 */
export type MasterKeySource = {
  readonly kind: MasterKeyKind;
  /**
   * The key, by its own account: whether it is the right one is for the caller to see.
   * @param expectedKekId The key that wraps the stored data keys. Null while nothing was ever sealed: then a source that
   *   keeps keys makes one.
   * @throws MasterKeyRefused, with the fix in its message.
   */
  load(expectedKekId: string | null): Promise<MasterKey>;
  /**
   * Another key to rotate to. It is kept where the next start finds it before this resolves, beside the one in use:
   * whenever the process dies, the key that wraps the data keys is one of the two.
   * @throws MasterKeyRefused
   */
  prepare(order: NextKey): Promise<MasterKey>;
  /** The stored data keys are wrapped by the prepared key. */
  settle(): void;
  /** What the operator must do before the next start after a rotation from `from`; null when nothing. */
  nextStep(from: MasterKeyKind): string | null;
};

/** `file` holds the key or the words, for sources that take one; null lets a source that keeps keys draw one. */
export type NextKey = { readonly file: string | null; readonly currentKekId: string };

/** Every source that a rotation can go to, and the one that the key in use came from. */
export type MasterKeySources = {
  readonly configured: MasterKeySource;
  readonly byKind: Readonly<Record<MasterKeyKind, MasterKeySource>>;
};
