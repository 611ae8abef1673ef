import { expect, test } from "bun:test";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import type { KeyAccess } from "../domain/access/key-access.ts";
import { OPEN_GRANT } from "../domain/access/key-grant.ts";
import { enter, NO_LIMITS } from "../domain/access/key-limits.ts";
import { epochMs } from "../kernel/time.ts";
import { createKeyMeters } from "./key-meters.ts";

const LIMITS = { ...NO_LIMITS, requestsPerMinute: 60 };
const T0 = 1_800_000_000_000;
const at = (ms: number) => epochMs(T0 + ms);

function access(id: number): KeyAccess {
  return { grant: OPEN_GRANT, limits: LIMITS, meterId: clientKeyId(`k${String(id).padStart(9, "0")}`) };
}

test("T-16.13 a million keys leave a bounded table: what rests is forgotten, what counts is kept", () => {
  const meters = createKeyMeters();
  const busy = meters.of(access(0), at(0));
  expect(enter(busy, LIMITS, at(0))).toBeNull();
  let largest = 0;
  for (let count = 1; count < 1_000_000; count += 1) {
    meters.of(access(count), at(count));
    largest = Math.max(largest, meters.size);
  }
  expect(largest).toBeLessThanOrEqual(100_000);
  expect(meters.of(access(0), at(1_000_000))).toBe(busy);
});

test("keys of one rotation share one meter", () => {
  const meters = createKeyMeters();
  expect(meters.of(access(1), at(0))).toBe(meters.of({ ...access(1) }, at(5)));
  expect(meters.size).toBe(1);
});
