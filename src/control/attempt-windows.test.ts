import { expect, test } from "bun:test";
import { epochMs } from "../kernel/time.ts";
import { addressKey, createAttemptWindows } from "./attempt-windows.ts";

const NOW = epochMs(1_800_000_000_000);
const MINUTE = 60_000;

function attempts(
  windows: ReturnType<typeof createAttemptWindows>,
  ips: readonly (string | null)[],
  nowMs = NOW,
): number {
  let entered = 0;
  for (const ip of ips) {
    const leave = windows.enter({ ip, isKnownDevice: false }, nowMs);
    if (leave === null) continue;
    entered += 1;
    leave(true);
  }
  return entered;
}

const hosts = (count: number, prefix = "198.51"): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}.${Math.floor(at / 250)}.${(at % 250) + 1}`);

test.each([
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["::ffff:192.0.2.1", "192.0.2.1", true],
  ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["fe80::1%eth0", "fe80::2", true],
])("T-3.12 %s and %s: one address %p", (left, right, isOne) => {
  expect(addressKey(left) === addressKey(right)).toBe(isOne);
});

test("T-3.12 20 failures of one address, for 15 minutes; what succeeds counts nothing", () => {
  const windows = createAttemptWindows();
  for (let success = 0; success < 50; success += 1) {
    windows.enter({ ip: "192.0.2.1", isKnownDevice: false }, NOW)?.(false);
  }
  expect(attempts(windows, new Array(30).fill("192.0.2.1"))).toBe(20);
  expect(attempts(windows, ["192.0.2.2"])).toBe(1);
  expect(attempts(windows, ["192.0.2.1"], epochMs(NOW + 15 * MINUTE - 1))).toBe(0);
  expect(attempts(windows, ["192.0.2.1"], epochMs(NOW + 15 * MINUTE))).toBe(1);
});

test("many at once get no further than one after the other", () => {
  const windows = createAttemptWindows();
  const enter = () => windows.enter({ ip: "192.0.2.1", isKnownDevice: false }, NOW);
  const running = Array.from({ length: 30 }, enter).filter((leave) => leave !== null);
  expect(running).toHaveLength(20);
  for (const leave of running) leave(false);
  // None of them failed, so all of it is free again.
  expect(Array.from({ length: 30 }, enter).filter((leave) => leave !== null)).toHaveLength(20);
});

test("100 failures of all together within a minute hold strangers up, and not who has signed in before", () => {
  const windows = createAttemptWindows();
  expect(attempts(windows, hosts(150))).toBe(100);
  expect(attempts(windows, ["203.0.113.1", null])).toBe(0);
  expect(windows.enter({ ip: "203.0.113.1", isKnownDevice: true }, NOW)).not.toBeNull();
  expect(attempts(windows, ["203.0.113.2"], epochMs(NOW + MINUTE))).toBe(1);
});

test("the book of addresses is bounded, and the one that failed last is kept", () => {
  const windows = createAttemptWindows();
  let nowMs: number = NOW;
  expect(attempts(windows, new Array(20).fill("192.0.2.1"), epochMs(nowMs))).toBe(20);
  // A minute for each hundred: all together may fail no more often, and 15 minutes are not enough to push one out.
  for (let minute = 0; minute < 14; minute += 1) {
    nowMs += MINUTE;
    attempts(windows, hosts(100, `10.${minute}`), epochMs(nowMs));
  }
  expect(attempts(windows, ["192.0.2.1"], epochMs(nowMs))).toBe(0);
});
