import { scrypt } from "node:crypto";
import { err, ok, type Result } from "../kernel/result.ts";

/** RFC 7914. One guess costs 128 * n * r bytes. `log2N` is how PHC strings write n. */
export type ScryptCost = { readonly log2N: number; readonly r: number; readonly p: number };

/** `work` waits for its turn; busy when too many wait already. */
export type KdfQueue = <Value>(work: () => Promise<Value>) => Promise<Result<Value, "busy">>;

const KEY_BYTES = 32;
const OVERHEAD_BYTES = 1024 * 1024;

/** 32 bytes, off the event loop; measured 0.36 s with N=2^17, r=8, p=1. */
export function deriveKey(secret: Uint8Array, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const n = 2 ** cost.log2N;
  const options = { N: n, r: cost.r, p: cost.p, maxmem: 128 * cost.r * (n + cost.p) + OVERHEAD_BYTES };
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, KEY_BYTES, options, (cause, key) => {
      // Bun 1.4.5 says undefined where Node says null.
      if (cause instanceof Error) reject(cause);
      else resolve(key);
    });
  });
}

/** `running` at once, `waiting` behind them, first come first served. What is running cannot be taken back. */
export function createKdfQueue({ running, waiting }: { readonly running: number; readonly waiting: number }): KdfQueue {
  const queue: (() => void)[] = [];
  let active = 0;

  return async (work) => {
    if (active < running) active += 1;
    else if (queue.length >= waiting) return err("busy");
    // Whoever ends hands its place over, so that nobody overtakes.
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return ok(await work());
    } finally {
      const next = queue.shift();
      if (next === undefined) active -= 1;
      else next();
    }
  };
}
