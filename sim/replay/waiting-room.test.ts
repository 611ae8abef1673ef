import { expect, test } from "bun:test";
import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import { durationMs } from "../../src/kernel/time.ts";
import { createAgenda } from "./agenda.ts";
import { at } from "./scene-for-tests.ts";
import type { RequestClass } from "./trace.ts";
import { createWaitingRoom } from "./waiting-room.ts";

const lane = modelClassOf("claude-opus-4-5");

function open(maxWaiting = 10) {
  const agenda = createAgenda(at(0));
  const room = createWaitingRoom(agenda, { maxWaitMs: durationMs(20_000), maxWaiting });
  const enter = (key: string, requestClass: RequestClass = "main") =>
    room.enter({ lane, requestClass, keyId: clientKeyId(key) });
  return { agenda, room, enter };
}

test("lets out in virtual time, main turns first, then the key that got least", () => {
  const { agenda, room, enter } = open();
  const out: string[] = [];
  const wait = (name: string, key: string, requestClass: RequestClass) => {
    const place = enter(key, requestClass);
    room.wait(place, { untilMs: at(5_000), kind: "lack" }, () => {
      out.push(`${name} at ${agenda.nowMs - at(0)}`);
      room.leave(place);
    });
  };
  wait("agent", "a", "subagent");
  wait("first of a", "a", "main");
  wait("second of a", "a", "main");
  wait("first of b", "b", "main");
  agenda.runUntil(at(10_000));
  expect(out).toEqual(["first of a at 5000", "first of b at 5000", "second of a at 5000", "agent at 5000"]);
});

test("a newcomer that finds room is behind those who wait for it, and those who waited are not", () => {
  const { agenda, room, enter } = open();
  const waiting = enter("a");
  room.wait(waiting, { untilMs: at(5_000), kind: "lack" }, () => undefined);
  expect(room.isBehind(enter("b"))).toBe(true);
  expect(room.isBehind(waiting)).toBe(false);
  room.leave(waiting);
  agenda.runUntil(at(1));
  expect(room.isBehind(enter("b"))).toBe(false);
});

test("refuses what is too far at once, and more than may wait", () => {
  const { room, enter } = open(1);
  const nothing = () => undefined;
  expect(room.wait(enter("a"), { untilMs: at(20_001), kind: "lack" }, nothing)).toBe(false);
  expect(room.wait(enter("a"), { untilMs: at(20_000), kind: "lack" }, nothing)).toBe(true);
  expect(room.wait(enter("a"), { untilMs: at(1), kind: "lack" }, nothing)).toBe(false);
});

test("looks again when room may have come early", () => {
  const { agenda, room, enter } = open();
  const out: number[] = [];
  room.wait(enter("a"), { untilMs: at(5_000), kind: "lack" }, () => out.push(agenda.nowMs - at(0)));
  agenda.at(at(2_000), () => room.recheck());
  agenda.runUntil(at(10_000));
  expect(out).toEqual([2_000]);
});
