import type { Inspector, LedgerLag } from "./control/ports.ts";
import { durationMs } from "./kernel/time.ts";
import type { LedgerStats } from "./storage/ledger/ledger.ts";
import type { Storage } from "./storage/storage.ts";

export function inspectorOf(storage: Storage, ledgerLag: () => LedgerLag): Inspector {
  return {
    databaseIntegrity: () => storage.integrityCheck(),
    dataDirectoryPermissions: async () => storage.checkPermissions(),
    ledgerLag,
  };
}

export function ledgerLagOf({ pendingRows, droppedRows, ingestLagMs }: LedgerStats): LedgerLag {
  return {
    pendingEntries: pendingRows,
    oldestPendingMs: pendingRows === 0 ? null : durationMs(ingestLagMs),
    droppedEntries: droppedRows,
  };
}
