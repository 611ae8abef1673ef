import type { Account, AccountId } from "./domain/account/account.ts";
import type { HomeBook, SavedHome } from "./domain/affinity/home-book.ts";
import type { PoolEvent } from "./domain/pool/pool-event.ts";
import { loadPool, savePool } from "./domain/pool/pool-snapshot.ts";
import type { PoolOwner } from "./gateway/pool-owner.ts";
import type { Accounts, Clock } from "./gateway/ports.ts";
import { type DurationMs, durationMs, epochMs } from "./kernel/time.ts";
import type { Log } from "./observe/log.ts";
import type { HomeStore } from "./storage/home-store.ts";
import type { PoolStore } from "./storage/pool-state-store.ts";

export type PoolKeeperNeeds = {
  readonly clock: Clock;
  readonly log: Log;
  readonly pool: PoolOwner;
  readonly homes: HomeBook;
  readonly accounts: Pick<Accounts, "snapshot">;
  readonly poolStore: PoolStore;
  readonly homeStore: HomeStore;
  readonly limits: { readonly maxHomes: number; readonly homeMs: DurationMs };
};

/** Lets cooldowns and homes outlive the process. A database that fails costs a log line, never a request. */
export interface PoolKeeper {
  /** Before the first request. */
  load(): Promise<void>;
  /** The pool learned something; what must survive is saved a moment later. */
  noticed(events: readonly PoolEvent[]): void;
  /** Saves what is left. */
  stop(): Promise<void>;
}

/** Answers that come together are one save. */
const POOL_SAVE_MS = durationMs(100);
const HOMES_SAVE_MS = durationMs(5_000);
const RETRY_MS = HOMES_SAVE_MS;
/** Changed homes that one save takes; the others wait for the next. */
const HOMES_PER_SAVE = 5_000;
/** Every ten minutes. */
const SAVES_PER_PRUNE = 120;

/** What a restart must not forget; the rest is learned again with the first answer. */
const LASTING: ReadonlySet<PoolEvent["type"]> = new Set<PoolEvent["type"]>([
  "benched",
  "throttled",
  "parked",
  "credential_refused",
  "forbidden",
  "model_missing",
  "organization_learned",
  "reset_account",
]);

export function createPoolKeeper(needs: PoolKeeperNeeds): PoolKeeper {
  const { clock, pool, poolStore, limits, homeStore, homes } = needs;
  const stopping = new AbortController();
  const attempt = createAttempts(needs.log);
  const homeKeeper = createHomeKeeper(needs);
  const savePoolNow = () => attempt("pool state", () => poolStore.save(savePool(pool.state, clock.now())));
  let poolSaving: Promise<void> | null = null;
  let isPoolChanged = false;
  let homesSaving: Promise<void> = Promise.resolve();
  let endTicks: (() => void) | null = null;

  const savePoolSoon = async () => {
    let pauseMs = POOL_SAVE_MS;
    while (isPoolChanged && !stopping.signal.aborted) {
      await clock.sleep(pauseMs, stopping.signal);
      isPoolChanged = false;
      const isSaved = await savePoolNow();
      isPoolChanged ||= !isSaved;
      pauseMs = isSaved ? POOL_SAVE_MS : RETRY_MS;
    }
    poolSaving = null;
  };

  return {
    async load() {
      await attempt("pool state", async () => {
        const saved = await poolStore.load();
        if (saved !== null) {
          pool.restore(loadPool(saved, clock.now()));
        }
      });
      await attempt("homes", async () => homes.load(await homeStore.loadAll(limits.maxHomes)));
      endTicks = clock.every(HOMES_SAVE_MS, () => {
        homesSaving = homesSaving.then(async () => void (await attempt("homes", homeKeeper.tick)));
      });
    },
    // hot path: nearly always it is told of served answers alone
    noticed(events) {
      for (const { type } of events) {
        if (LASTING.has(type)) {
          isPoolChanged = true;
          poolSaving ??= savePoolSoon();
          return;
        }
      }
    },
    async stop() {
      endTicks?.();
      stopping.abort();
      await poolSaving;
      await savePoolNow();
      await homesSaving;
      await attempt("homes", homeKeeper.finish);
    },
  };
}

/** False when the work failed. Tells of the first failure and of the recovery, not of every failure in between. */
function createAttempts(log: Log) {
  const failing = new Set<string>();
  return async (what: "pool state" | "homes", work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      if (failing.delete(what)) {
        log.info("What the pool knows is saved again", { reason: what });
      }
      return true;
    } catch (cause) {
      if (!failing.has(what)) {
        failing.add(what);
        log.warn("The database refuses what the pool knows: a restart may forget it", { reason: what, error: cause });
      }
      return false;
    }
  };
}

function createHomeKeeper({ clock, homes, homeStore, accounts, limits }: PoolKeeperNeeds) {
  let unsaved: readonly SavedHome[] = [];
  let known: readonly Account[] | null = null;
  let ticks = 0;

  /** A home at an account that was removed leads nowhere. */
  const forgetRemoved = () => {
    const before = known;
    known = accounts.snapshot();
    if (before !== null && before !== known) {
      const left = new Set<AccountId>(known.map(({ id }) => id));
      for (const { id } of before) {
        if (!left.has(id)) homes.forgetAccount(id);
      }
    }
  };
  const prune = () => homeStore.prune(epochMs(Math.max(0, clock.now() - limits.homeMs)), limits.maxHomes);
  const save = async () => {
    // Kept until they are stored: a failure must not lose them.
    unsaved = unsaved.length > 0 ? unsaved : homes.takeChanged(HOMES_PER_SAVE);
    if (unsaved.length > 0) {
      await homeStore.save(unsaved);
    }
    const count = unsaved.length;
    unsaved = [];
    return count;
  };
  return {
    async tick() {
      forgetRemoved();
      await save();
      ticks += 1;
      if (ticks % SAVES_PER_PRUNE === 0) {
        await prune();
      }
    },
    async finish() {
      while ((await save()) === HOMES_PER_SAVE);
      await prune();
    },
  };
}
