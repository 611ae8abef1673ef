import { describe, expect, test } from "bun:test";
import { createManualClock, turns } from "../../test/playbook/manual-clock.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import { after, durationMs } from "../kernel/time.ts";
import { createQueue, type Waiter } from "./queue.ts";
import type { WaitKind } from "./queue-lane.ts";

const NONE = durationMs(0);
const LISTENING = new AbortController().signal;
const opus = modelClassOf("claude-opus-4");
const ANY: Waiter = { lane: opus, requestClass: "main", keyId: clientKeyId("k1"), waitedMs: NONE };

function queueOf(maxWaiting = 20) {
  const clock = createManualClock();
  const queue = createQueue({ clock, maxWaitMs: durationMs(1_000), maxWaiting });
  const at = (ms: number) => after(clock.now(), durationMs(ms));
  const lookedInOrder: string[] = [];
  /** Waits, and when it is let out does what `then` says: sends at once, or waits again. */
  async function waiter(
    name: string,
    who: Partial<Waiter> = {},
    { ms = 100, kind = "lack" as WaitKind, again = 0 } = {},
  ) {
    const place = queue.enter({ ...ANY, ...who });
    let outcome = await queue.wait(place, { untilMs: at(ms), kind }, LISTENING);
    lookedInOrder.push(name);
    if (again > 0 && outcome.kind === "ready") {
      outcome = await queue.wait(place, { untilMs: at(again), kind }, LISTENING);
      lookedInOrder.push(`${name} again`);
    }
    queue.leave(place);
    return outcome.kind;
  }
  return { clock, queue, at, waiter, lookedInOrder };
}

describe("one wait", () => {
  test("ends at its instant, and says how long it was", async () => {
    const { clock, queue, at } = queueOf();
    const place = queue.enter(ANY);
    const waiting = queue.wait(place, { untilMs: at(700), kind: "lack" }, LISTENING);
    expect(queue.waiting).toBe(1);
    clock.advance(700);
    expect(await waiting).toEqual({ kind: "ready", waitedMs: durationMs(700) });
    expect(queue.waiting).toBe(1);
    queue.leave(place);
    queue.leave(place);
    expect(queue.waiting).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test.each([
    { spanMs: 1_000, waitedMs: 0, kind: "ready" },
    { spanMs: 1_001, waitedMs: 0, kind: "too_far" },
    { spanMs: 400, waitedMs: 600, kind: "ready" },
    { spanMs: 401, waitedMs: 600, kind: "too_far" },
    { spanMs: 1, waitedMs: 2_000, kind: "too_far" },
  ] as const)("of $spanMs ms more after $waitedMs ms is $kind", async ({ spanMs, waitedMs, kind }) => {
    const { clock, queue, at } = queueOf();
    const place = queue.enter({ ...ANY, waitedMs: durationMs(waitedMs) });
    const waiting = queue.wait(place, { untilMs: at(spanMs), kind: "own" }, LISTENING);
    clock.advance(spanMs);
    expect((await waiting).kind).toBe(kind);
  });

  test("for an instant that has passed is a short one, not a busy loop, and ends with the time that is left", async () => {
    const { clock, queue, at } = queueOf();
    const place = queue.enter(ANY);
    let looks = 0;
    const looking = (async () => {
      while ((await queue.wait(place, { untilMs: at(0), kind: "lack" }, LISTENING)).kind === "ready") looks += 1;
    })();
    await turns(5);
    expect(looks).toBe(0);
    for (let step = 0; step < 110; step += 1) {
      clock.advance(10);
      await turns();
    }
    await looking;
    expect(looks).toBeWithin(90, 102);
    expect(queue.waiting).toBe(0);
  });

  test("is refused when the queue is full, but a place that waits again has its place", async () => {
    const { clock, queue, at } = queueOf(1);
    const first = queue.enter(ANY);
    const waiting = queue.wait(first, { untilMs: at(10), kind: "lack" }, LISTENING);
    expect(await queue.wait(queue.enter(ANY), { untilMs: at(10), kind: "lack" }, LISTENING)).toEqual({
      kind: "full",
      waitedMs: NONE,
    });
    clock.advance(10);
    await waiting;
    const again = queue.wait(first, { untilMs: at(10), kind: "lack" }, LISTENING);
    clock.advance(10);
    expect((await again).kind).toBe("ready");
  });

  test("of a client that leaves is gone at once, and of one that has left never begins", async () => {
    const { clock, queue, at } = queueOf();
    const client = new AbortController();
    const waiting = queue.wait(queue.enter(ANY), { untilMs: at(500), kind: "lack" }, client.signal);
    clock.advance(200);
    client.abort();
    expect(await waiting).toEqual({ kind: "gone", waitedMs: durationMs(200) });
    expect((await queue.wait(queue.enter(ANY), { untilMs: at(500), kind: "lack" }, client.signal)).kind).toBe("gone");
    expect(queue.waiting).toBe(0);
    expect(clock.timers).toBe(0);
  });
});

describe("those whose time has come", () => {
  test("look one at a time: the next one only when the first has sent", async () => {
    const { clock, queue, at } = queueOf();
    const [first, second] = [queue.enter(ANY), queue.enter(ANY)];
    const waits = [first, second].map((place) => queue.wait(place, { untilMs: at(100), kind: "lack" }, LISTENING));
    let isSecondOut = false;
    void waits[1]?.then(() => {
      isSecondOut = true;
    });
    clock.advance(100);
    await waits[0];
    await turns(3);
    expect(isSecondOut).toBe(false);
    queue.leave(first);
    await turns();
    expect(isSecondOut).toBe(true);
  });

  test("look main first, then subagents, then what runs beside", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const waits = [
      waiter("auxiliary", { requestClass: "auxiliary" }),
      waiter("subagent", { requestClass: "subagent" }),
      waiter("main"),
      waiter("subagent 2", { requestClass: "subagent" }),
      waiter("main 2"),
    ];
    clock.advance(100);
    await Promise.all(waits);
    expect(lookedInOrder).toEqual(["main", "main 2", "subagent", "subagent 2", "auxiliary"]);
  });

  test("of one class take turns between the client keys, however many one key has", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const greedy = { keyId: clientKeyId("greedy") };
    const waits = ["g1", "g2", "g3", "g4"].map((name) => waiter(name, greedy));
    waits.push(waiter("m1", { keyId: clientKeyId("modest") }), waiter("m2", { keyId: clientKeyId("modest") }));
    clock.advance(100);
    await Promise.all(waits);
    expect(lookedInOrder).toEqual(["g1", "m1", "g2", "m2", "g3", "g4"]);
  });

  test("keep their rank when they must wait again, and speak for those behind", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const waits = [
      waiter("first", {}, { again: 300 }),
      waiter("second"),
      waiter("third", { requestClass: "auxiliary" }),
    ];
    clock.advance(100);
    await turns(3);
    expect(lookedInOrder).toEqual(["first"]);
    clock.advance(300);
    await Promise.all(waits);
    expect(lookedInOrder).toEqual(["first", "first again", "second", "third"]);
  });

  test("are not held up by one that waits for its own home", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const waits = [waiter("homesick", {}, { kind: "own", again: 300 }), waiter("other")];
    clock.advance(100);
    await turns(3);
    expect(lookedInOrder).toEqual(["homesick", "other"]);
    clock.advance(300);
    await Promise.all(waits);
  });

  test("look before the limit of their own wait, whatever the first one found", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const waits = [
      waiter("first", {}, { again: 800 }),
      waiter("impatient", { waitedMs: durationMs(700), requestClass: "auxiliary" }),
    ];
    clock.advance(100);
    await turns(3);
    clock.advance(200);
    await turns(3);
    expect(lookedInOrder).toEqual(["first", "impatient"]);
    clock.advance(600);
    await Promise.all(waits);
  });

  test("of another lane are not concerned", async () => {
    const { clock, waiter, lookedInOrder } = queueOf();
    const waits = [
      waiter("opus", {}, { again: 300 }),
      waiter("haiku", { lane: modelClassOf("claude-haiku-4"), requestClass: "auxiliary" }),
    ];
    clock.advance(100);
    await turns(3);
    expect(lookedInOrder).toEqual(["opus", "haiku"]);
    clock.advance(300);
    await Promise.all(waits);
  });
});

describe("room before its time", () => {
  test("is offered to whoever waits for it", async () => {
    const { queue, waiter, lookedInOrder, clock } = queueOf();
    const waits = [waiter("waiting"), waiter("homesick", {}, { kind: "own" })];
    queue.recheck();
    await turns(3);
    expect(lookedInOrder).toEqual(["waiting"]);
    clock.advance(100);
    await Promise.all(waits);
  });

  test("that a newcomer found is looked at by those who wait for it first", async () => {
    const { queue, waiter, lookedInOrder } = queueOf();
    expect(queue.hasLack(opus)).toBe(false);
    const waits = [waiter("waiting"), waiter("beside", { requestClass: "auxiliary" })];
    expect(queue.hasLack(opus)).toBe(true);
    waits.push(waiter("newcomer", {}, { kind: "turn" }));
    await Promise.all(waits);
    expect(lookedInOrder).toEqual(["waiting", "newcomer", "beside"]);
    expect(queue.hasLack(opus)).toBe(false);
  });

  test("that does not suffice for the first is left to the newcomer, even when the queue is full", async () => {
    const { clock, waiter, lookedInOrder } = queueOf(1);
    const large = waiter("large", {}, { ms: 200, again: 500 });
    expect(await waiter("small newcomer", {}, { kind: "turn" })).toBe("ready");
    expect(lookedInOrder).toEqual(["large", "small newcomer"]);
    clock.advance(500);
    expect(await large).toBe("ready");
  });
});
