import type { DataKeyStore } from "../control/vault-ports.ts";

/** How many encryptions are written down at a time, before they are made. */
export const COUNT_BLOCK = 4096;

/**
 * Counts what each data key encrypts, since AES-GCM with random nonces is safe for so many only. Whole blocks are stored
 * ahead, so that after a crash the stored count is never lower than the true one, and at most one block higher.
 */
export type EncryptionCounts = {
  /** Counts one. @throws Error when two blocks could not be stored: the disk takes no envelope then either. */
  spend(dataKeyId: number): void;
  /** How many this key has made, counting what earlier processes reserved and may not have used. */
  made(dataKeyId: number): number;
  /** @param reserved What the store holds, with a whole block that nobody has used. */
  open(dataKeyId: number, reserved: number): void;
  forget(dataKeyId: number): void;
  /** When nothing is on its way to the store. */
  idle(): Promise<void>;
};

type Count = { reserved: number; left: number; asking: Promise<void> | null };

export function createEncryptionCounts(store: Pick<DataKeyStore, "reserve">): EncryptionCounts {
  const counts = new Map<number, Count>();

  const ask = async (id: number, count: Count): Promise<void> => {
    try {
      await store.reserve(id, COUNT_BLOCK);
      count.reserved += COUNT_BLOCK;
      count.left += COUNT_BLOCK;
    } catch {
      // The next encryption asks again; `spend` says so when nothing is left.
    } finally {
      count.asking = null;
    }
  };

  return {
    spend(id) {
      const count = counts.get(id);
      if (count === undefined) throw new Error(`Cannot seal with the data key ${id}: its encryptions are not counted`);
      // Also when nothing is left: the store may take it by now.
      if (count.left <= COUNT_BLOCK / 2) count.asking ??= ask(id, count);
      if (count.left === 0) {
        throw new Error(`Cannot seal with the data key ${id}: the number of its encryptions cannot be stored`);
      }
      count.left -= 1;
    },
    made(id) {
      const count = counts.get(id);
      return count === undefined ? 0 : count.reserved - count.left;
    },
    open: (id, reserved) => void counts.set(id, { reserved, left: COUNT_BLOCK, asking: null }),
    forget: (id) => void counts.delete(id),
    async idle() {
      for (const { asking } of counts.values()) await asking;
    },
  };
}
