import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readHttpDate, readResetInstant, readRfc3339 } from "./instant-text.ts";

describe("RFC 3339", () => {
  test.each([
    ["2026-11-23T20:00:00Z", "2026-11-23T20:00:00.000Z"],
    ["2026-11-23t20:00:00.5z", "2026-11-23T20:00:00.500Z"],
    ["2026-11-23 20:00:00.123456789Z", "2026-11-23T20:00:00.123Z"],
    ["2026-11-23T20:00:00+02:30", "2026-11-23T17:30:00.000Z"],
    ["2026-11-23T20:00:00-01:00", "2026-11-23T21:00:00.000Z"],
    ["2028-02-29T23:59:60Z", "2028-02-29T23:59:59.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
  ])("reads %s as %s", (text, expected) => {
    expect(Number(readRfc3339(text))).toBe(Date.parse(expected));
  });

  test.each([
    "",
    "soon",
    "2026-11-23",
    "2026-11-23T20:00:00",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:61Z",
    "2026-01-01T00:00:0xZ",
    "2026-01-01T00:x0:00Z",
    "20 6-01-01T00:00:00Z",
    "2026/01/01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    " 2026-11-23T20:00:00Z",
  ])("refuses %p", (text) => {
    expect(readRfc3339(text)).toBeNull();
  });

  test("reads back every instant that it is printed from", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
        (date) => {
          const text = date.toISOString();
          expect(Number(readRfc3339(text))).toBe(date.getTime());
          expect(Number(readRfc3339(text.replace(/\.\d+/, "")))).toBe(Math.floor(date.getTime() / 1000) * 1000);
        },
      ),
    );
  });
});

describe("HTTP dates", () => {
  test("reads the form that senders must use", () => {
    expect(Number(readHttpDate("Wed, 21 Oct 2026 07:28:00 GMT"))).toBe(Date.parse("2026-10-21T07:28:00Z"));
  });

  test.each([
    "Wed, 21 Okt 2026 07:28:00 GMT",
    "Wed, 31 Feb 2026 07:28:00 GMT",
    "Wednesday, 21-Oct-26 07:28:00 GMT",
    "x",
  ])("refuses %p", (text) => {
    expect(readHttpDate(text)).toBeNull();
  });

  test("reads back every second that it is printed from", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800 }), (seconds) => {
        expect(Number(readHttpDate(new Date(seconds * 1000).toUTCString()))).toBe(seconds * 1000);
      }),
    );
  });
});

test.each([
  ["1785685200", 1_785_685_200_000],
  ["0", 0],
  ["2026-11-23T20:00:00Z", Date.parse("2026-11-23T20:00:00Z")],
  ["1785685200.5", 1_785_685_200_500],
  ["-1", null],
  ["178568520000000", null],
  ["NaN", null],
])("reads the reset %p as %p", (text, expected) => {
  const instant = readResetInstant(text);
  expect(instant === null ? null : Number(instant)).toBe(expected);
});
