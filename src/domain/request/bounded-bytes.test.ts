import { expect, test } from "bun:test";
import fc from "fast-check";
import { append, clear, contentsOf, createBoundedBytes } from "./bounded-bytes.ts";

const MAX_BYTES = 40;

test("holds every byte up to its bound and none beyond it", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 24 }), { maxLength: 8 }), (pieces) => {
      const held = createBoundedBytes(MAX_BYTES);
      for (const piece of pieces) append(held, piece, 0, piece.length);
      const all = Buffer.concat(pieces);
      expect(held.isOver).toBe(all.length > MAX_BYTES);
      expect([...contentsOf(held)]).toEqual(all.length > MAX_BYTES ? [] : [...all]);
      expect(held.bytes.length).toBeLessThanOrEqual(MAX_BYTES);
    }),
  );
});

test("takes the part of a chunk that it is told to, as a copy", () => {
  const held = createBoundedBytes(MAX_BYTES);
  const chunk = new Uint8Array([1, 2, 3, 4]);
  append(held, chunk, 1, 3);
  chunk.fill(9);
  expect([...contentsOf(held)]).toEqual([2, 3]);
});

test("never writes into a chunk that it was given", () => {
  const held = createBoundedBytes(MAX_BYTES);
  // As a socket gives them: slice of a Buffer shares its memory.
  const chunk = Buffer.from([1, 2, 3, 4]);
  append(held, chunk, 0, 4);
  clear(held);
  append(held, new Uint8Array([9, 9]), 0, 2);
  expect([...chunk]).toEqual([1, 2, 3, 4]);
});

test("starts again after it is cleared, also after it went over its bound", () => {
  const held = createBoundedBytes(2);
  append(held, new Uint8Array(3), 0, 3);
  clear(held);
  append(held, new Uint8Array([7, 8]), 0, 2);
  clear(held);
  append(held, new Uint8Array([9]), 0, 1);
  expect({ isOver: held.isOver, bytes: [...contentsOf(held)] }).toEqual({ isOver: false, bytes: [9] });
});

test("gives large memory back when it is cleared", () => {
  const held = createBoundedBytes(1024 * 1024);
  append(held, new Uint8Array(100_000), 0, 100_000);
  clear(held);
  expect(held.bytes.length).toBe(0);
});
