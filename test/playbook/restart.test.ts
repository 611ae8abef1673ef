import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolEvent } from "../../src/domain/pool/pool-event.ts";
import { durationMs } from "../../src/kernel/time.ts";
import { createLog } from "../../src/observe/log.ts";
import { createPoolKeeper, type PoolKeeper } from "../../src/pool-keeper.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { asked, cached, failing, limitedFor, OK, stepsOf, turnOf } from "./answers.ts";
import { turns, until } from "./manual-clock.ts";
import { account, createStage, type Stage } from "./stage.ts";

const root = mkdtempSync(join(tmpdir(), "restart-"));
afterAll(() => rmSync(root, { recursive: true }));

type Life = { readonly stage: Stage; readonly keeper: PoolKeeper; readonly storage: Storage; readonly lines: string[] };

type Circumstances = { readonly before?: Stage; readonly outage?: { readonly isOn: boolean } };

/** One life of the gateway over a real database. Its clock goes on where the last life's stood. */
async function live(dataDir: string, { before, outage }: Circumstances = {}): Promise<Life> {
  const storage = await openStorage({ dataDir });
  let keeper: PoolKeeper | null = null;
  const stage = createStage({
    accounts: [account("a"), account("b")],
    onLearned: (events: readonly PoolEvent[]) => keeper?.noticed(events),
  });
  if (before !== undefined) stage.clock.advance(before.clock.now() - stage.clock.now());
  const { pool, homes, accounts } = stage.rooms;
  const lines: string[] = [];
  keeper = createPoolKeeper({
    clock: stage.clock,
    log: createLog({ level: "info", format: "json", write: (line) => void lines.push(line) }),
    pool,
    homes,
    accounts,
    poolStore: unlessOut(storage.poolState, outage),
    homeStore: unlessOut(storage.homes, outage),
    limits: { maxHomes: 1_000, homeMs: durationMs(5 * 3_600_000) },
  });
  await keeper.load();
  return { stage, keeper, storage, lines };
}

/** The store itself, whose every call fails while the outage is on. */
function unlessOut<Store extends object>(store: Store, outage: Circumstances["outage"]): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const refuse = () => Promise.reject(new Error("Cannot use the database: scripted"));
      return outage?.isOn === true ? refuse : (Reflect.get(target, name, receiver) as unknown);
    },
  });
}

async function end({ keeper, storage }: Life): Promise<void> {
  await keeper.stop();
  await storage.close();
}

test("a restart in the middle of cooldowns keeps benches and homes", async () => {
  const dataDir = join(root, "orderly");
  const first = await live(dataDir);
  first.stage.upstream.plan(cached(100_000), limitedFor(60), cached(100_000));
  await first.stage.serve(first.stage.call(turnOf("s1")));
  await first.stage.serve(first.stage.call(turnOf("s1")));
  await end(first);

  const second = await live(dataDir, { before: first.stage });
  const { stage } = second;
  stage.clock.advance(30_000);
  stage.upstream.plan(OK, OK);
  await stage.serve(stage.call(turnOf("s1")));
  expect(stepsOf(stage, 0)).toEqual(["tried id-b spill served"]);
  stage.clock.advance(30_000);
  await stage.serve(stage.call(turnOf("s1")));
  expect(stepsOf(stage, 1)).toEqual(["tried id-a home served"]);
  expect(asked(stage)).toEqual(["b", "a"]);
  await end(second);
});

test("a process that dies loses neither a dead credential nor homes older than five seconds", async () => {
  const dataDir = join(root, "killed");
  const first = await live(dataDir);
  first.stage.upstream.plan(failing(401), cached(100_000));
  await first.stage.serve(first.stage.call(turnOf("s1")));
  expect(await first.storage.poolState.load()).toBeNull();
  first.stage.clock.advance(100);
  await turns(3);
  expect(await first.storage.poolState.load()).toContain("credential_dead");
  first.stage.clock.advance(5_000);
  await turns(3);
  await first.storage.close();

  const second = await live(dataDir, { before: first.stage });
  second.stage.upstream.plan(OK, OK);
  await second.stage.serve(second.stage.call(turnOf("s1")));
  await second.stage.serve(second.stage.call());
  expect(stepsOf(second.stage, 0)).toEqual(["tried id-b home served"]);
  expect(asked(second.stage)).toEqual(["b", "b"]);
  await end(second);
});

test("answers that come together are saved together, and served ones are not saved at all", async () => {
  const life = await live(join(root, "together"));
  const { stage, storage } = life;
  const saves: string[] = [];
  const { save } = storage.poolState;
  storage.poolState.save = (text) => {
    saves.push(text);
    return save(text);
  };
  stage.upstream.plan(OK, failing(401), failing(402));
  await stage.serve(stage.call());
  stage.clock.advance(1_000);
  await turns(2);
  expect(saves).toHaveLength(0);
  await stage.serve(stage.call());
  stage.clock.advance(99);
  await turns(2);
  expect(saves).toHaveLength(0);
  stage.clock.advance(1);
  await until(() => saves.length > 0, "the save");
  await turns(5);
  stage.clock.advance(1_000);
  await turns(2);
  expect(saves).toHaveLength(1);
  await end(life);
});

test("an account that was removed is nobody's home", async () => {
  const life = await live(join(root, "removed"));
  const { stage } = life;
  stage.upstream.plan(cached(100_000));
  await stage.serve(stage.call(turnOf("s1")));
  expect(stage.rooms.homes.size).toBe(1);
  stage.clock.advance(5_000);
  await turns(2);
  expect(stage.rooms.homes.size).toBe(1);
  stage.setAccounts([account("b")]);
  stage.clock.advance(5_000);
  await until(() => stage.rooms.homes.size === 0, "the home to be forgotten");
  await end(life);
});

test("a database that refuses for a while costs two lines, no request, no bench and no home", async () => {
  const dataDir = join(root, "refused");
  const outage = { isOn: true };
  const first = await live(dataDir, { outage });
  first.stage.upstream.plan(cached(100_000), failing(401), OK);
  await first.stage.serve(first.stage.call(turnOf("s1")));
  expect((await first.stage.serve(first.stage.call(turnOf("s1")))).status).toBe(200);
  for (let step = 0; step < 3; step += 1) {
    first.stage.clock.advance(5_000);
    await turns(3);
  }
  expect(first.lines.filter((line) => line.includes("refuses what the pool knows"))).toHaveLength(2);
  expect(await first.storage.homes.loadAll(10)).toEqual([]);
  outage.isOn = false;
  first.stage.clock.advance(5_000);
  await until(() => first.lines.filter((line) => line.includes("saved again")).length === 2, "both to be saved");
  expect(await first.storage.homes.loadAll(10)).toHaveLength(1);
  expect(await first.storage.poolState.load()).toContain("credential_dead");
  await end(first);
});

test("a database that cannot be read starts with nothing, and says so", async () => {
  const life = await live(join(root, "unreadable"), { outage: { isOn: true } });
  expect(life.lines).toHaveLength(2);
  life.stage.upstream.plan(OK);
  expect((await life.stage.serve(life.stage.call())).status).toBe(200);
  await end(life);
});
