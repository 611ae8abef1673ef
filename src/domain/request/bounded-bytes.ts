/** Bytes put together from chunks, up to a bound; beyond it everything is dropped and `isOver` says so. */
export type BoundedBytes = {
  readonly maxBytes: number;
  /** Grows by doubling; only the first `length` bytes count. */
  bytes: Uint8Array;
  length: number;
  isOver: boolean;
};

const NOTHING = new Uint8Array(0);
const MAX_SPARE_BYTES = 16 * 1024;

export function createBoundedBytes(maxBytes: number): BoundedBytes {
  return { maxBytes, bytes: NOTHING, length: 0, isOver: false };
}

/** Appends a copy of `chunk` from `from` up to but not including `to`. */
// biome-ignore lint/complexity/useMaxParams: a range of a chunk; an object for it would be made for every piece.
export function append(held: BoundedBytes, chunk: Uint8Array, from: number, to: number): void {
  const length = held.length + to - from;
  if (held.isOver || length > held.maxBytes) {
    held.isOver = true;
    held.bytes = NOTHING;
    held.length = 0;
    return;
  }
  if (length > held.bytes.length) {
    if (held.length === 0) {
      // Not chunk.slice: a socket's chunks are Buffers, whose slice is a view, and later bytes would be written into
      // the answer itself.
      held.bytes = new Uint8Array(chunk.subarray(from, to));
      held.length = length;
      return;
    }
    const grown = new Uint8Array(Math.min(held.maxBytes, Math.max(length, 2 * held.bytes.length)));
    grown.set(held.bytes.subarray(0, held.length));
    held.bytes = grown;
  }
  held.bytes.set(chunk.subarray(from, to), held.length);
  held.length = length;
}

/** What was appended, valid until the next `append` or `clear`. Empty when it went over the bound. */
export function contentsOf(held: BoundedBytes): Uint8Array {
  return held.length === held.bytes.length ? held.bytes : held.bytes.subarray(0, held.length);
}

/** Keeps memory of ordinary size for the next contents. */
export function clear(held: BoundedBytes): void {
  if (held.bytes.length > MAX_SPARE_BYTES) held.bytes = NOTHING;
  held.length = 0;
  held.isOver = false;
}
