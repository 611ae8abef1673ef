import { SYSTEM } from "../control/acting.ts";
import type { DataKeyPurpose, SealedColumn, SealedValue, VaultStore } from "../control/vault-ports.ts";
import { dataKeyIdOf } from "./envelope.ts";
import type { VaultNeeds } from "./vault.ts";

/** 200 rows a second: the event loop and the disk belong to the relay. */
const BATCH_ROWS = 20;
const BATCH_PAUSE_MS = 100;
const PAGE_ROWS = 500;
/** A password can be hashed anew at its next login alone, which may be in a year: its pepper is never unneeded. */
const KEPT: DataKeyPurpose = "login-pepper";
/** What was sealed just before a rotation may still be on its way to the disk; a write waits for 5 s at most. */
const DEFAULT_GRACE_MS = 60_000;

export type Reencryption = {
  /** Seals anew what older keys sealed, and destroys those that nothing needs any more. */
  start(): void;
  /** This key only opens from now on. */
  replaced(dataKeyId: number): void;
  isRunning(): boolean;
  stop(): Promise<void>;
};

/** What is left to do is read from the envelopes themselves, so a crash at any point loses nothing. */
export function createReencryption(needs: VaultNeeds): Reencryption {
  const graceMs = needs.graceMs ?? DEFAULT_GRACE_MS;
  const replacedAt = new Map<number, number>();
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  let isAskedAgain = false;
  let timer: Timer | null = null;

  const round = async (): Promise<void> => {
    do {
      isAskedAgain = false;
      for (const column of needs.stored.columns) await sealAnew(needs, column, stopping.signal);
    } while (isAskedAgain && !stopping.signal.aborted);
    const waitMs = await destroyUnused(needs, (id) => (replacedAt.get(id) ?? Number.NEGATIVE_INFINITY) + graceMs);
    if (waitMs !== null && !stopping.signal.aborted) {
      timer = setTimeout(start, waitMs);
      timer.unref();
    }
  };

  function start(): void {
    if (stopping.signal.aborted) return;
    if (running !== null) {
      isAskedAgain = true;
      return;
    }
    if (timer !== null) clearTimeout(timer);
    running = round()
      .catch((cause: unknown) => {
        if (!stopping.signal.aborted) needs.onFailure(cause);
      })
      .finally(() => {
        running = null;
      });
  }

  return {
    start,
    replaced(dataKeyId) {
      replacedAt.set(dataKeyId, performance.now());
      start();
    },
    isRunning: () => running !== null,
    async stop() {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}

async function sealAnew(needs: VaultNeeds, column: SealedColumn, signal: AbortSignal): Promise<void> {
  const { keyring } = needs;
  let batch = 0;
  for await (const value of valuesOf(column)) {
    if (signal.aborted) return;
    const active = keyring.ring.all().find((key) => key.purpose === column.purpose && key.isActive);
    const sealedBy = dataKeyIdOf(value.envelope);
    if (active === undefined || !sealedBy.ok || sealedBy.value === active.id) continue;
    const address = { table: column.table, column: column.column, rowId: value.rowId, generation: value.generation };
    const opened = keyring.open(column.purpose, address, value.envelope);
    // What does not open keeps its key: `verify` names it.
    if (!opened.ok) continue;
    await column.replace(value, keyring.seal(column.purpose, address, opened.value));
    batch += 1;
    if (batch % BATCH_ROWS === 0) await Bun.sleep(BATCH_PAUSE_MS);
  }
}

/** Gives how long to wait until another key may go, null when none waits. */
async function destroyUnused(needs: VaultNeeds, freeAtMs: (id: number) => number): Promise<number | null> {
  const older = needs.keyring.ring.all().filter(({ isActive, purpose }) => !isActive && purpose !== KEPT);
  if (older.length === 0) return null;
  const uses = await usesOf(needs.stored);
  let waitMs: number | null = null;
  for (const { id, purpose } of older) {
    if ((uses.get(id) ?? 0) > 0) continue;
    const restMs = freeAtMs(id) - performance.now();
    if (restMs > 0) {
      waitMs = Math.min(waitMs ?? restMs, restMs);
      continue;
    }
    const object = { type: "data_key", id: String(id), name: purpose };
    await needs.audit.change({ code: "VLT002I", actor: SYSTEM, object }, ({ dataKeys }) => dataKeys.remove(id));
    needs.keyring.ring.forget(id);
  }
  return waitMs;
}

/** How many sealed values and live client keys need each data key. */
export async function usesOf(stored: VaultStore): Promise<ReadonlyMap<number, number>> {
  const uses = new Map(await stored.pepperUses());
  for (const column of stored.columns) {
    for await (const { envelope } of valuesOf(column)) {
      const id = dataKeyIdOf(envelope);
      if (id.ok) uses.set(id.value, (uses.get(id.value) ?? 0) + 1);
    }
  }
  return uses;
}

export async function* valuesOf(column: SealedColumn): AsyncGenerator<SealedValue> {
  let afterId = "";
  for (;;) {
    const page = await column.page(afterId, PAGE_ROWS);
    yield* page;
    const end = page.at(-1);
    if (end === undefined || page.length < PAGE_ROWS) return;
    afterId = end.rowId;
  }
}
