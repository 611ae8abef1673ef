import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { epochMs } from "../../src/kernel/time.ts";
import { createAgenda } from "./agenda.ts";

describe("an agenda", () => {
  test("runs in order of time, and in the order of planning within one instant, whatever was planned", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (instants) => {
        const agenda = createAgenda(epochMs(0));
        const seen: { atMs: number; index: number }[] = [];
        for (const [index, atMs] of instants.entries()) {
          agenda.at(atMs, () => {
            expect(agenda.nowMs).toBe(epochMs(atMs));
            seen.push({ atMs, index });
          });
        }
        agenda.runUntil(epochMs(21));
        const planned = instants.map((atMs, index) => ({ atMs, index }));
        expect(seen).toEqual(planned.sort((left, right) => left.atMs - right.atMs || left.index - right.index));
      }),
    );
  });

  test("runs what is planned on the way, and nothing at or after the end", () => {
    const agenda = createAgenda(epochMs(100));
    const seen: number[] = [];
    agenda.at(110, () => agenda.at(50, () => seen.push(agenda.nowMs)));
    agenda.at(200, () => seen.push(200));
    agenda.runUntil(epochMs(200));
    expect(seen).toEqual([110]);
    expect(agenda.nowMs).toBe(epochMs(200));
  });

  test("stops at once", () => {
    const agenda = createAgenda(epochMs(0));
    const seen: number[] = [];
    agenda.at(1, () => agenda.stop());
    agenda.at(2, () => seen.push(2));
    agenda.runUntil(epochMs(10));
    expect(seen).toEqual([]);
  });
});
