import { expect, test } from "bun:test";
import { account } from "../../test/playbook/stage.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import { type PoolEvent, subjectOf } from "../domain/pool/pool-event.ts";
import { emptyPool } from "../domain/pool/pool-state.ts";
import { epochMs } from "../kernel/time.ts";
import { createPoolOwner } from "./pool-owner.ts";

const on = subjectOf(account("a"), null, modelClassOf(null));
const failed: PoolEvent = { type: "origin_failed", on, cause: "status 529", atMs: epochMs(1) };

test("tells what changed, and nothing when nothing did", () => {
  const told: (readonly PoolEvent[])[] = [];
  const pool = createPoolOwner((events) => void told.push(events));
  expect(pool.state).toBe(emptyPool);
  pool.learn([]);
  pool.learn([{ type: "probe_lost", on, atMs: epochMs(1) }]);
  expect(told).toEqual([]);
  expect(pool.state).toBe(emptyPool);
  pool.learn([failed]);
  expect(told).toEqual([[failed]]);
  expect(pool.state).not.toBe(emptyPool);
});
