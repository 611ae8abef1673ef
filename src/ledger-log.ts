import { assertNever } from "./kernel/result.ts";
import type { Log } from "./observe/log.ts";
import type { LedgerEvent } from "./storage/ledger/ledger.ts";

/** What an operator must know of the ledger, in words that say what still works. */
export function logLedgerEvent(log: Log, event: LedgerEvent): void {
  switch (event.kind) {
    case "spool_refused":
      log.error("The disk refuses the ledger spool: entries wait in memory, requests go on", { reason: event.detail });
      return;
    case "spool_recovered":
      log.info("The ledger spool is written again");
      return;
    case "sync_failed":
      log.warn("The ledger spool cannot be synced: a power cut would lose entries", { reason: event.detail });
      return;
    case "dropping":
      log.error("Ledger entries are lost: disk and memory are full", { count: event.droppedRows });
      return;
    case "ingest_failed":
      log.warn("The database refuses ledger rows: they wait in the spool, requests go on", { reason: event.detail });
      return;
    case "ingest_recovered":
      log.info("Ledger rows reach the database again");
      return;
    case "interrupted":
      log.warn("Requests of an earlier process never ended: they are marked interrupted", { count: event.rows });
      return;
    case "unreadable":
      log.warn("A spool file has parts that are no entries", { path: event.segment, count: event.lines });
      return;
    default:
      assertNever(event);
  }
}
