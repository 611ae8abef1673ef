import type { Database } from "bun:sqlite";
import { type Migration, Migrator } from "kysely/migration";
import type { WriteHandle } from "./schema.ts";
import { DatabaseDamaged, SchemaTooNew } from "./storage-error.ts";

const MIGRATION_TABLE = "schema_migrations";

export type MigrateOptions = {
  readonly database: Database;
  readonly db: WriteHandle;
  readonly path: string;
  readonly migrations: Readonly<Record<string, Migration>>;
};

/**
 * Brings the schema up to date, one transaction per migration. Does nothing when it is.
 * @throws SchemaTooNew, DatabaseDamaged: before anything is changed.
 */
export async function migrateToLatest({ database, db, path, migrations }: MigrateOptions): Promise<void> {
  const applied = appliedMigrations(database);
  const unknown = applied.find((name) => !Object.hasOwn(migrations, name));
  if (unknown !== undefined) throw new SchemaTooNew(path, unknown);
  if (applied.length === Object.keys(migrations).length) return;
  const complaint = quickCheck(database);
  if (complaint !== null) throw new DatabaseDamaged(path, complaint);

  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: `${MIGRATION_TABLE}_lock`,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw new Error(`Cannot migrate ${path}: the migration failed and was undone`, { cause: error });
}

function appliedMigrations(database: Database): string[] {
  const find = database.query<{ name: string }, [string]>(
    "select name from sqlite_master where type = 'table' and name = ?",
  );
  if (find.get(MIGRATION_TABLE) === null) return [];
  return database
    .query<{ name: string }, []>(`select name from ${MIGRATION_TABLE} order by name`)
    .all()
    .map(({ name }) => name);
}

/** Null when the engine finds nothing wrong. */
function quickCheck(database: Database): string | null {
  const first = database.query<{ quick_check: string }, []>("pragma quick_check(1)").get()?.quick_check;
  return first === "ok" ? null : (first ?? "no answer");
}
