import { expect, test } from "bun:test";
import fc from "fast-check";
import { emptyShardedMap, getEntry, MAX_SHARD_ENTRIES, type ShardedMap, withEntry } from "./sharded-map.ts";

const worth = (value: number) => value;

function sizeOf(map: ShardedMap<string, number>): number {
  return map.shards.reduce((size, shard) => size + shard.size, 0);
}

test("behaves as a Map does, and leaves earlier versions alone", () => {
  const change = fc.tuple(fc.string({ maxLength: 3 }), fc.option(fc.nat(), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const model = new Map<string, number>();
      let map: ShardedMap<string, number> = emptyShardedMap();
      for (const [key, value] of changes) {
        const before = map;
        const valueBefore = getEntry(before, key);
        map = withEntry(map, [key, value], worth);
        if (value === undefined) model.delete(key);
        else model.set(key, value);
        expect(getEntry(before, key)).toBe(valueBefore);
      }
      expect(sizeOf(map)).toBe(model.size);
      for (const [key, value] of model) {
        expect(getEntry(map, key)).toBe(value);
      }
    }),
  );
});

test("is the same object when the value is already there", () => {
  const map = withEntry(emptyShardedMap<string, number>(), ["a", 1], worth);
  expect(withEntry(map, ["a", 1], worth)).toBe(map);
  expect(withEntry(map, ["b", undefined], worth)).toBe(map);
});

test("forgets what is worth least when a shard is full", () => {
  let map: ShardedMap<string, number> = emptyShardedMap();
  for (let index = 0; index < 20_000; index += 1) {
    map = withEntry(map, [`account:${index}`, index], worth);
  }
  expect(sizeOf(map)).toBe(64 * MAX_SHARD_ENTRIES);
  expect(getEntry(map, "account:0")).toBeUndefined();
  expect(getEntry(map, "account:19999")).toBe(19_999);
  for (const shard of map.shards) {
    expect(Math.min(...shard.values())).toBeGreaterThan(10_000);
  }
});

test.each([
  ["random ids", () => crypto.randomUUID()],
  ["numbered ids", (index: number) => `account:${index}`],
  ["padded ids", (index: number) => String(index).padStart(8, "0")],
])("spreads 1,000 %s so that no shard is near its bound", (_kind, keyOf) => {
  let map: ShardedMap<string, number> = emptyShardedMap();
  for (let index = 0; index < 1000; index += 1) {
    map = withEntry(map, [keyOf(index), index], worth);
  }
  expect(sizeOf(map)).toBe(1000);
  expect(Math.max(...map.shards.map((shard) => shard.size))).toBeLessThan(MAX_SHARD_ENTRIES - 10);
});
