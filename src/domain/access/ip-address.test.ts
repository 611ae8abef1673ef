import { expect, test } from "bun:test";
import { addressText, parseIpAddress, parsePeerAddress, plainAddress } from "./ip-address.ts";

test.each([
  ["127.0.0.1", { family: 4, parts: [127, 0, 0, 1] }],
  ["::1", { family: 6, parts: [0, 0, 0, 0, 0, 0, 0, 1] }],
  ["2001:db8::A:b", { family: 6, parts: [0x2001, 0xdb8, 0, 0, 0, 0, 0xa, 0xb] }],
  ["::ffff:1.2.3.4", { family: 6, parts: [0, 0, 0, 0, 0, 0xffff, 0x102, 0x304] }],
  ["01.2.3.4", null],
  ["1.2.3", null],
  ["1.2.3.256", null],
  ["::1%lo", null],
  ["1::2::3", null],
  ["[::1]", null],
  ["", null],
] as const)("%j is read", (text, address) => {
  expect<unknown>(parseIpAddress(text)).toEqual(address);
});

test("a mapped address is its IPv4 address, and others stay", () => {
  expect(parsePeerAddress("::ffff:7f00:1")).toEqual({ family: 4, parts: [127, 0, 0, 1] });
  expect(parsePeerAddress("fe80::1%12")).toEqual({ family: 6, parts: [0xfe80, 0, 0, 0, 0, 0, 0, 1] });
  expect(parsePeerAddress("::%")).toEqual({ family: 6, parts: [0, 0, 0, 0, 0, 0, 0, 0] });
  expect(parsePeerAddress("nobody")).toBeNull();
  const other = { family: 6, parts: [0, 0, 0, 0, 1, 0xffff, 1, 1] } as const;
  expect(plainAddress(other)).toBe(other);
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
])("%s is written as %s", (text, written) => {
  const address = parsePeerAddress(text);
  expect(address === null ? null : addressText(address)).toBe(written);
});
