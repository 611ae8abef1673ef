import type { Database, SQLQueryBindings } from "bun:sqlite";
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
import { isBusy } from "./sqlite-error.ts";

/** How long a statement is tried again while another connection holds the lock. The event loop runs in between. */
const BUSY_DEADLINE_MS = 5000;
const BUSY_PAUSE_MS = 20;

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
export function sqliteDialect(connection: DatabaseConnection): Dialect {
  return {
    createDriver: () => driverOf(connection),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalSqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

export function bunSqliteDialect(database: Database): Dialect {
  return sqliteDialect(connectionTo(database));
}

function driverOf(connection: DatabaseConnection): Driver {
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
    rollbackTransaction: () => run("rollback"),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
}

function connectionTo(database: Database): DatabaseConnection {
  return {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      const deadline = performance.now() + BUSY_DEADLINE_MS;
      for (;;) {
        try {
          return execute<Row>(database, query);
        } catch (cause) {
          if (!isBusy(cause) || performance.now() > deadline) throw cause;
        }
        await Bun.sleep(BUSY_PAUSE_MS);
      }
    },
    streamQuery() {
      throw new Error("Cannot stream a query: every list has a limit, ask for it at once");
    },
  };
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
