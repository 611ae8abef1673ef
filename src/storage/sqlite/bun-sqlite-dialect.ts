import type { Database, SQLQueryBindings } from "bun:sqlite";
import { statSync } from "node:fs";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import { describeDiskProblem } from "../disk-problem.ts";
import { isBusy } from "./sqlite-error.ts";

/** How long another connection may hold the lock until statements are refused. The event loop runs in between. */
const BUSY_DEADLINE_MS = 5000;
const BUSY_PAUSE_MS = 20;
/** Refusals further apart than this come from two locks, not from one. */
const SAME_LOCK_MS = 1000;

/** Kysely turns migrations into one transaction each only when the adapter says that DDL can be rolled back: here it can. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * A dialect from a connection: the queries of Kysely, run by whoever owns the database. The owner closes it as well,
 * since Kysely's destroy does nothing when no query was ever run.
 */
export function sqliteDialect(connection: DatabaseConnection, rollback?: () => void): Dialect {
  return {
    createDriver: () => driverOf(connection, rollback),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalSqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** Its queries throw StoreUnavailable when the file is locked, full, read-only, moved or removed. */
export function bunSqliteDialect(database: Database): Dialect {
  return sqliteDialect(connectionTo(database), () => {
    // The engine has undone it already when the disk was full or failed: an error here would hide that one. And a file
    // that was moved must not leave the transaction open.
    if (database.inTransaction) database.run("rollback");
  });
}

function driverOf(connection: DatabaseConnection, rollback?: () => void): Driver {
  const run = async (sql: string): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(sql));
  };
  return {
    init: async () => undefined,
    // Kysely itself queues callers: the adapter says that there is one connection.
    acquireConnection: async () => connection,
    // Immediate: the lock is taken where waiting for it is safe, never half-way.
    beginTransaction: () => run("begin immediate"),
    commitTransaction: () => run("commit"),
    rollbackTransaction: async () => (rollback === undefined ? run("rollback") : rollback()),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
}

function connectionTo(database: Database): DatabaseConnection {
  const path = database.filename;
  const inode = inodeOf(path);
  // Statements wait in a queue: what one has waited for a lock counts for those behind it, or the tenth waits a minute.
  let lockedSinceMs = 0;
  let lockedUntilMs = Number.NEGATIVE_INFINITY;
  const mayWait = (nowMs: number): boolean => {
    if (nowMs - lockedUntilMs > SAME_LOCK_MS) lockedSinceMs = nowMs;
    lockedUntilMs = nowMs;
    return nowMs - lockedSinceMs < BUSY_DEADLINE_MS;
  };
  return {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      for (;;) {
        // In WAL mode the engine does not notice: what it takes then is lost with the old file.
        if (inodeOf(path) !== inode) throw new StoreUnavailable(`Cannot use ${path}: ${MOVED}`, {});
        try {
          return execute<Row>(database, query);
        } catch (cause) {
          if (!isBusy(cause) || !mayWait(performance.now())) throw explained(path, cause);
        }
        await Bun.sleep(BUSY_PAUSE_MS);
      }
    },
    streamQuery() {
      throw new Error("Cannot stream a query: every list has a limit, ask for it at once");
    },
  };
}

const MOVED = "the file was moved or removed while the gateway runs; put it back, or restart the gateway";

/** Null for a database in memory and for a file that is gone. */
function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

function explained(path: string, cause: unknown): unknown {
  const problem = describeDiskProblem(cause);
  return problem === null ? cause : new StoreUnavailable(`Cannot use ${path}: ${problem}`, { cause });
}

function execute<Row>(database: Database, query: CompiledQuery): QueryResult<Row> {
  const statement = database.query<Row, SQLQueryBindings[]>(query.sql);
  const parameters = query.parameters.map(toBinding);
  if (statement.columnNames.length > 0) return { rows: statement.all(...parameters) };
  const { changes, lastInsertRowid } = statement.run(...parameters);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}

export function toBinding(value: unknown): SQLQueryBindings {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint")
    return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`Cannot bind a value of type ${typeof value} to a statement`);
}
