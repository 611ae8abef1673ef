import { describe, expect, test } from "bun:test";
import { COUNT_BLOCK, createEncryptionCounts } from "./encryption-counts.ts";

/** A store that answers when it is told to. */
function slowStore() {
  const asked: { readonly grant: () => void; readonly refuse: () => void }[] = [];
  return {
    asked,
    reserve: () =>
      new Promise<void>((resolve, reject) => {
        asked.push({ grant: resolve, refuse: () => reject(new Error("the disk is full")) });
      }),
  };
}

function spend(counts: ReturnType<typeof createEncryptionCounts>, times: number): void {
  for (let time = 0; time < times; time += 1) counts.spend(7);
}

describe("encryptions of a data key", () => {
  test("are counted one by one, and the next block is asked for once, when half of one is left", async () => {
    const store = slowStore();
    const counts = createEncryptionCounts(store);
    counts.open(7, 3 * COUNT_BLOCK);
    spend(counts, COUNT_BLOCK / 2);
    expect([store.asked.length, counts.made(7)]).toEqual([0, 2.5 * COUNT_BLOCK]);
    spend(counts, 10);
    expect(store.asked.length).toBe(1);
    store.asked[0]?.grant();
    await counts.idle();
    spend(counts, COUNT_BLOCK);
    expect(counts.made(7)).toBe(3.5 * COUNT_BLOCK + 10);
  });

  test("stop when nothing that is stored is left, and go on when the store takes a block again", async () => {
    const store = slowStore();
    const counts = createEncryptionCounts(store);
    counts.open(7, COUNT_BLOCK);
    spend(counts, COUNT_BLOCK);
    expect(() => counts.spend(7)).toThrow("the number of its encryptions cannot be stored");
    store.asked[0]?.refuse();
    await counts.idle();
    expect(() => counts.spend(7)).toThrow("cannot be stored");
    expect(store.asked.length).toBe(2);
    store.asked[1]?.grant();
    await counts.idle();
    spend(counts, COUNT_BLOCK / 2);
    expect(counts.made(7)).toBe(1.5 * COUNT_BLOCK);
  });

  test("of a key that is not open are refused", () => {
    expect(() => createEncryptionCounts(slowStore()).spend(7)).toThrow("are not counted");
  });
});
