import { expect, test } from "bun:test";
import fc from "fast-check";
import * as names from "./event-name.ts";

const KINDS: readonly (readonly [string, number])[] = [
  ["message_start", names.MESSAGE_START],
  ["message_delta", names.MESSAGE_DELTA],
  ["message_stop", names.MESSAGE_STOP],
  ["error", names.ERROR],
  ["ping", names.PING],
  ["content_block_delta", names.BLOCK_DELTA],
  ["content_block_start", names.BLOCK_START],
  ["content_block_stop", names.BLOCK_STOP],
];
const utf8 = new TextEncoder();

test.each(KINDS)("knows %s by its bytes and by its type", (name, kind) => {
  expect(names.kindOfName(utf8.encode(`xx${name}xx`), 2, 2 + name.length)).toBe(kind);
  expect(names.kindOfType(name)).toBe(kind);
  expect(name.length).toBeLessThanOrEqual(names.MAX_NAME_BYTES);
});

test("takes a name that differs in one byte, or in length, for another event", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), fc.nat(18), fc.nat(255), ([name], at, byte) => {
      const bytes = utf8.encode(name);
      const index = at % bytes.length;
      if (bytes[index] !== byte) {
        bytes[index] = byte;
        expect(names.kindOfName(bytes, 0, bytes.length)).toBeGreaterThanOrEqual(names.MESSAGE_START);
        expect(KINDS.find(([, kind]) => kind === names.kindOfName(bytes, 0, bytes.length))?.[0]).toBe(
          KINDS.find(([other]) => other === Buffer.from(bytes).toString("latin1"))?.[0],
        );
      }
      const longer = utf8.encode(`${name}x`);
      expect(names.kindOfName(longer, 0, longer.length)).toBe(names.OTHER);
    }),
  );
});

test("takes no name for an unnamed event", () => {
  expect(names.kindOfName(utf8.encode("ping"), 4, 4)).toBe(names.UNNAMED);
});

test.each([{ type: null }, { type: 5 }, { type: "toString" }, { type: "" }])(
  "takes type $type for another",
  ({ type }) => {
    expect(names.kindOfType(type)).toBe(names.OTHER);
  },
);
