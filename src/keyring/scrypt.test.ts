import { expect, test } from "bun:test";
import { createKdfQueue, deriveKey } from "./scrypt.ts";

// The first half of the 64 bytes there: PBKDF2 makes them block by block.
test("agrees with RFC 7914, section 12", async () => {
  const key = await deriveKey(Buffer.from("password"), Buffer.from("NaCl"), { log2N: 10, r: 8, p: 16 });
  expect(key.toString("hex")).toBe("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
});

test("T-3.07 never more at once than it may, in the order of arrival, and the surplus is refused at once", async () => {
  const inTurn = createKdfQueue({ running: 2, waiting: 16 });
  let active = 0;
  let peak = 0;
  const order: number[] = [];
  const work = async (name: number): Promise<number> => {
    active += 1;
    peak = Math.max(peak, active);
    order.push(name);
    await new Promise((resolve) => setImmediate(resolve));
    active -= 1;
    return name;
  };
  const outcomes = await Promise.all(Array.from({ length: 30 }, (_, name) => inTurn(() => work(name))));
  expect(peak).toBe(2);
  expect(order).toEqual(Array.from({ length: 18 }, (_, name) => name));
  expect(outcomes.map(({ ok }) => ok)).toEqual(outcomes.map((_, at) => at < 18));
});

test("work that throws gives its place back", async () => {
  const inTurn = createKdfQueue({ running: 1, waiting: 0 });
  const broken = inTurn(() => Promise.reject(new Error("out of memory")));
  await expect(broken).rejects.toThrow("out of memory");
  expect(await inTurn(async () => 1)).toEqual({ ok: true, value: 1 });
});
