/** Chance that repeats itself: the same seed gives the same numbers on every machine. */
export interface Chance {
  /** 0 up to, not including, 1. */
  next(): number;
  integer(fromInclusive: number, toInclusive: number): number;
  /** Log-normal around `median`: most are near it, a few are far above. `spread` 0.5 is mild, 1 is wild. */
  around(median: number, spread: number): number;
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
  /** An independent stream: what is drawn from it moves nothing here. */
  fork(name: string): Chance;
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  // mulberry32 (public domain, Tommy Ettinger 2017): 32 bits of state are plenty for a simulation.
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    next,
    integer: (from, to) => from + Math.floor(next() * (to - from + 1)),
    around(median, spread) {
      const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      return median * Math.exp(spread * normal);
    },
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
    fork: (name) => createChance(hashOf(name, seed)),
  };
}

/** FNV-1a over the text, begun with the seed: 0 .. 2^32 - 1. */
export function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
