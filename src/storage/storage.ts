import { CompiledQuery, Kysely } from "kysely";
import type { AuditedChanges } from "../control/audit-port.ts";
import type { LoginStore, SessionStore } from "../control/oauth-ports.ts";
import type { PeopleStores, SetupFile } from "../control/people-ports.ts";
import type { AccountStore, ClientKeyStore, RequestReader, SettingStore } from "../control/ports.ts";
import type { DataKeyChanges, VaultStore } from "../control/vault-ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { createAccountStore } from "./account-store.ts";
import { type AuditLogStore, createAuditLogStore } from "./audit/audit-log-store.ts";
import { type AuditSinkStore, createAuditSinkStore } from "./audit/audit-sink-store.ts";
import { type AuditNeeds, createAuditedChanges } from "./audit/audited-changes.ts";
import { createClientKeyStore } from "./client-key-store.ts";
import {
  checkDataDirectory,
  type DataPaths,
  dataPathsOf,
  makePrivateDirectory,
  makePrivateFile,
  requireWritable,
} from "./data-directory.ts";
import { createDataKeyStore } from "./data-key-store.ts";
import { lockDirectory } from "./directory-lock.ts";
import { createHomeStore, type HomeStore } from "./home-store.ts";
import { createLoginSessionStore } from "./login-session-store.ts";
import { createLoginStore } from "./login-store.ts";
import { migrateToLatest } from "./migrate.ts";
import { allMigrations } from "./migrations/all-migrations.ts";
import { createPeopleStores } from "./people/people-stores.ts";
import { createSetupFile } from "./people/setup-file.ts";
import { createPoolStore, type PoolStore } from "./pool-state-store.ts";
import { createRequestReader } from "./request-reader.ts";
import type { ReadHandle, Schema, WriteHandle } from "./schema.ts";
import { createSettingStore } from "./setting-store.ts";
import { bunSqliteDialect, sqliteDialect } from "./sqlite/bun-sqlite-dialect.ts";
import { openDatabase } from "./sqlite/open-database.ts";
import { createThreadConnection } from "./sqlite/thread-connection.ts";
import { explainOpening } from "./storage-error.ts";
import { createVaultStore } from "./vault-store.ts";

export type Storage = {
  readonly accounts: AccountStore;
  readonly clientKeys: ClientKeyStore;
  /** Reads on a thread of its own, so that a long query never holds up the event loop. */
  readonly requests: RequestReader;
  readonly dataKeys: DataKeyChanges;
  /** Data keys, what they seal and what they check, for rotations. */
  readonly vault: VaultStore;
  readonly settings: SettingStore;
  readonly logins: LoginStore;
  readonly loginSessions: SessionStore;
  readonly people: PeopleStores;
  readonly setupFile: SetupFile;
  readonly auditLog: AuditLogStore;
  readonly auditSinks: AuditSinkStore;
  /** Changes and their audit rows, in one transaction each. */
  auditedChanges(needs: AuditNeeds): AuditedChanges;
  /** These two write on a thread of their own: the pool changes every second, and no disk may hold up the relay. */
  readonly poolState: PoolStore;
  readonly homes: HomeStore;
  /** The engine's full check, off the event loop; the error is its first complaint. */
  integrityCheck(): Promise<Result<void, string>>;
  /** Carries what was committed from the write-ahead log into the database, off the event loop, so that the log does not grow. */
  checkpoint(): Promise<void>;
  /** The error names the first path in the data directory that others can use. */
  checkPermissions(): Result<void, string>;
  /** Releases the directory last. Stop the ledger before. */
  close(): Promise<void>;
};

/**
 * Makes the data directory when it is absent, takes it for this process, and brings the schema up to date.
 * @throws DataDirectoryInUse, DataDirectoryUnusable, SchemaTooNew, DatabaseDamaged
 */
export async function openStorage({ dataDir }: { readonly dataDir: string }): Promise<Storage> {
  try {
    return await open(dataPathsOf(dataDir));
  } catch (cause) {
    throw explainOpening(dataDir, cause);
  }
}

async function open(paths: DataPaths): Promise<Storage> {
  makePrivateDirectory(paths.directory);
  requireWritable(paths.directory);
  const lock = lockDirectory(paths.directory, paths.lock);
  try {
    makePrivateFile(paths.database);
    const database = openDatabase(paths.database, "control");
    const writer: WriteHandle = new Kysely<Schema>({ dialect: bunSqliteDialect(database) });
    try {
      await migrateToLatest({ database, db: writer, path: paths.database, migrations: allMigrations });
    } catch (cause) {
      database.close();
      throw cause;
    }
    const path = paths.database;
    const reading = createThreadConnection({
      path,
      role: "read",
      threadName: "ledger-reader",
      doing: "read the ledger",
    });
    const writing = createThreadConnection({ path, role: "state", threadName: "pool-state", doing: "keep the pool" });
    const reader: ReadHandle = new Kysely<Schema>({ dialect: sqliteDialect(reading) });

    const state: WriteHandle = new Kysely<Schema>({ dialect: sqliteDialect(writing) });

    return {
      accounts: createAccountStore(writer),
      clientKeys: createClientKeyStore(writer),
      requests: createRequestReader(reader),
      dataKeys: createDataKeyStore(writer),
      vault: createVaultStore(writer),
      settings: createSettingStore(writer),
      logins: createLoginStore(writer),
      loginSessions: createLoginSessionStore(writer),
      people: createPeopleStores(writer),
      setupFile: createSetupFile(paths.directory),
      auditLog: createAuditLogStore(writer),
      auditSinks: createAuditSinkStore(writer),
      auditedChanges: (needs) => createAuditedChanges(writer, needs),
      poolState: createPoolStore(state),
      homes: createHomeStore(state),
      async integrityCheck() {
        const query = CompiledQuery.raw("pragma integrity_check(1)");
        const complaint = (await reading.executeQuery<{ integrity_check: string }>(query)).rows[0]?.integrity_check;
        return complaint === "ok" ? ok(undefined) : err(complaint ?? "no answer");
      },
      async checkpoint() {
        await writing.executeQuery(CompiledQuery.raw("pragma wal_checkpoint(passive)"));
      },
      checkPermissions: () => checkDataDirectory(paths),
      async close() {
        await reading.close();
        await writing.close();
        await writer.destroy();
        database.close();
        lock.release();
      },
    };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}
