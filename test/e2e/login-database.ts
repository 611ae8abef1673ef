import type { Database } from "bun:sqlite";
import { existsSync, writeFileSync } from "node:fs";
import { Kysely } from "kysely";
import type { SimulatedTokenEndpoint } from "../../sim/token-endpoint.ts";
import { createLoginRefresher, type LoginRefresher } from "../../src/control/login-refresher.ts";
import type { TokenEndpoint } from "../../src/control/oauth-ports.ts";
import { type AccountId, accountId } from "../../src/domain/account/account.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { durationMs, epochMs } from "../../src/kernel/time.ts";
import { createAccountVault } from "../../src/keyring/account-vault.ts";
import { openKeyring } from "../../src/keyring/keyring.ts";
import { createLoginVault } from "../../src/keyring/login-vault.ts";
import { masterKeyFromBytes } from "../../src/keyring/master-key.ts";
import { createAuditedChanges } from "../../src/storage/audit/audited-changes.ts";
import { createDataKeyStore } from "../../src/storage/data-key-store.ts";
import { createLoginSessionStore } from "../../src/storage/login-session-store.ts";
import { createLoginStore } from "../../src/storage/login-store.ts";
import { migrateToLatest } from "../../src/storage/migrate.ts";
import { allMigrations } from "../../src/storage/migrations/all-migrations.ts";
import type { Schema } from "../../src/storage/schema.ts";
import { bunSqliteDialect } from "../../src/storage/sqlite/bun-sqlite-dialect.ts";
import { openDatabase } from "../../src/storage/sqlite/open-database.ts";
import { systemClock } from "../../src/system-clock.ts";

/** The product's stores over one database file, without the lock that keeps a second gateway out. */
export type LoginDatabase = Awaited<ReturnType<typeof openLoginDatabase>>;

const CLIENT_ID = "operator-client";

export async function openLoginDatabase(path: string, masterKey: Buffer) {
  if (!existsSync(path)) writeFileSync(path, "", { mode: 0o600 });
  const database: Database = openDatabase(path, "control");
  const db = new Kysely<Schema>({ dialect: bunSqliteDialect(database) });
  await migrateToLatest({ database, db, path, migrations: allMigrations });
  const keyring = await openKeyring({
    masterKey: masterKeyFromBytes(masterKey),
    store: createDataKeyStore(db),
    now: systemClock.now,
  });
  const changes = createAuditedChanges(db, { now: systemClock.now, clean: (text) => text });
  return {
    database,
    changes,
    logins: createLoginStore(db),
    sessions: createLoginSessionStore(db),
    vault: createLoginVault(keyring, createAccountVault(keyring)),
    close: () => database.close(),
  };
}

/** A login of generation 1 with tokens that the endpoint has just issued. */
export async function insertLogin(
  { logins, vault }: LoginDatabase,
  name: string,
  endpoint: SimulatedTokenEndpoint,
): Promise<AccountId> {
  const id = accountId(name);
  const issued = endpoint.issue();
  const place = { id, generation: 1, tokenUrl: endpoint.url };
  const accessToken = vault.sealAccessToken(place, new Secret("test", issued.accessToken));
  const refreshToken = vault.sealRefreshToken(place, new Secret("test", issued.refreshToken));
  const nowMs = systemClock.now();
  const client = { clientId: CLIENT_ID, authorizeUrl: endpoint.authorizeUrl, tokenUrl: endpoint.url, scopes: [] };
  const inserted = await logins.insert(
    {
      id,
      name,
      provider: "anthropic",
      baseUrl: "http://127.0.0.1:1",
      credentialKind: "bearer",
      priority: 1,
      weight: 1,
      workspace: null,
      declaredOrganization: null,
      learnedOrganization: null,
      isPaused: false,
      createdAtMs: nowMs,
      models: [],
      credential: accessToken,
      generation: 1,
    },
    { accessToken, refreshToken, issuedAtMs: nowMs, expiresAtMs: epochMs(nowMs), client, termsAcceptedAtMs: nowMs },
  );
  if (!inserted.ok) throw new Error(`Cannot insert ${name}`);
  return id;
}

export type RefresherOptions = {
  readonly endpoint: TokenEndpoint;
  readonly owner: string;
  readonly onUnstored?: () => void;
};

export function refresherOver(database: LoginDatabase, options: RefresherOptions): LoginRefresher {
  return createLoginRefresher({
    ...database,
    clock: systemClock,
    sleep: (span) => Bun.sleep(durationMs(span)),
    random: Math.random,
    nameOf: () => null,
    onUnstored: () => undefined,
    ...options,
  });
}
