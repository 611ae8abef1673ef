import { expect, test } from "bun:test";
import { account } from "../../test/playbook/stage.ts";
import { createInProcessCoordination } from "../cluster/in-process.ts";
import { limitGroupOf } from "../domain/account/account.ts";
import { modelClassOf } from "../domain/account/model-class.ts";
import { type PoolEvent, subjectOf } from "../domain/pool/pool-event.ts";
import { applyPoolEvents, emptyPool } from "../domain/pool/pool-state.ts";
import { epochMs } from "../kernel/time.ts";
import { createPoolOwner } from "./pool-owner.ts";

const on = subjectOf(account("a"), null, modelClassOf(null));
const failed: PoolEvent = { type: "origin_failed", on, cause: "status 529", atMs: epochMs(1) };

function ownerOf() {
  const told: (readonly PoolEvent[])[] = [];
  const organizations: string[] = [];
  const coordination = createInProcessCoordination();
  const pool = createPoolOwner({
    coordination,
    accounts: { learnOrganization: (_, organization) => void organizations.push(organization) },
    onLearned: (events) => void told.push(events),
  });
  return { told, organizations, coordination, pool };
}

test("tells what changed, and nothing when nothing did", () => {
  const { told, pool } = ownerOf();
  expect(pool.state).toBe(emptyPool);
  pool.learn([]);
  pool.learn([{ type: "probe_lost", on, atMs: epochMs(1) }]);
  expect(told).toEqual([]);
  expect(pool.state).toBe(emptyPool);
  pool.learn([failed]);
  expect(told).toEqual([[failed]]);
  expect(pool.state).not.toBe(emptyPool);
});

test("learns what another process publishes, and nothing that does not come back", () => {
  const { told, coordination } = ownerOf();
  coordination.publish([failed]);
  expect(told).toEqual([[failed]]);
  const deaf = createPoolOwner({
    coordination: { publish: () => undefined, onEvents: () => undefined },
    accounts: { learnOrganization: () => undefined },
    onLearned: () => undefined,
  });
  deaf.learn([failed]);
  expect(deaf.state).toBe(emptyPool);
});

test("hands a learned organization on, even when nothing was known that it changes", () => {
  const { organizations, pool } = ownerOf();
  const known = account("a");
  const from = limitGroupOf(known);
  const to = limitGroupOf({ ...known, organization: "org-1" });
  pool.learn([{ type: "organization_learned", accountId: known.id, from, to, organization: "org-1" }]);
  expect(organizations).toEqual(["org-1"]);
});

test("goes on from what was saved", () => {
  const { pool } = ownerOf();
  const saved = applyPoolEvents(emptyPool, [failed]);
  pool.restore(saved);
  expect(pool.state).toBe(saved);
});
