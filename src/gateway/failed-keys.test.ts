import { expect, test } from "bun:test";
import type { IpAddress } from "../domain/access/ip-address.ts";
import { parsePeerAddress } from "../domain/access/ip-address.ts";
import { epochMs } from "../kernel/time.ts";
import { createFailedKeys } from "./failed-keys.ts";

const T0 = 1_800_000_000_000;
const at = (ms: number) => epochMs(T0 + ms);

function address(text: string): IpAddress {
  const parsed = parsePeerAddress(text);
  if (parsed === null) throw new Error(`Cannot test with ${text}`);
  return parsed;
}

test("T-2.14 twenty a minute are told why, and then one every three seconds", () => {
  const keys = createFailedKeys({ perMinute: 20 });
  const from = address("192.0.2.1");
  const told = Array.from({ length: 30 }, () => keys.failed(from, at(0))).filter((wait) => wait === 0);
  expect(told).toHaveLength(20);
  expect(keys.failed(from, at(0))).toBe(3);
  expect(keys.failed(from, at(2_999))).toBe(1);
  expect(keys.failed(from, at(3_000))).toBe(0);
  expect(keys.failed(from, at(3_000))).toBe(3);
  expect(keys.failed(address("192.0.2.2"), at(3_000))).toBe(0);
});

test("T-2.14 a flood does not make the wait longer, and a minute of silence ends it", () => {
  const keys = createFailedKeys({ perMinute: 20 });
  for (let count = 0; count < 60_000; count += 1) keys.failed(null, at(count));
  expect(keys.failed(null, at(60_000))).toBeLessThanOrEqual(3);
  for (let count = 0; count < 20; count += 1) expect(keys.failed(null, at(120_100))).toBe(0);
});

test.each([
  { one: "2001:db8:0:1::1", other: "2001:db8:0:1:ffff::9", isSame: true },
  { one: "2001:db8:0:1::1", other: "2001:db8:0:2::1", isSame: false },
  { one: "::ffff:192.0.2.1", other: "192.0.2.1", isSame: true },
  { one: "192.0.2.1", other: "192.0.2.2", isSame: false },
])("T-2.14 $one and $other are one client: $isSame", ({ one, other, isSame }) => {
  const keys = createFailedKeys({ perMinute: 1 });
  expect(keys.failed(address(one), at(0))).toBe(0);
  expect(keys.failed(address(other), at(0)) > 0).toBe(isSame);
});

test("a clock that was set back locks nobody out for longer than a minute", () => {
  const keys = createFailedKeys({ perMinute: 20 });
  for (let count = 0; count < 40; count += 1) keys.failed(null, at(86_400_000));
  expect(keys.failed(null, at(0))).toBe(3);
  expect(keys.failed(null, at(60_000))).toBe(0);
});

test("T-16.13 a million addresses leave a bounded table, and the newest are remembered", () => {
  const keys = createFailedKeys({ perMinute: 1 });
  const parts = [0, 0, 0, 0];
  const from: IpAddress = { family: 4, parts };
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 1_000_000; count += 1) {
    parts[0] = count >>> 24;
    parts[1] = (count >>> 16) & 255;
    parts[2] = (count >>> 8) & 255;
    parts[3] = count & 255;
    keys.failed(from, at(0));
  }
  expect(keys.size).toBeLessThanOrEqual(100_000);
  expect(keys.size).toBeGreaterThanOrEqual(50_000);
  expect(keys.failed(from, at(0))).toBe(60);
  expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024);
});
