import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataPathsOf } from "./data-directory.ts";
import { openStorage } from "./storage.ts";

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Bytes that no data key sealed, and why they may be stored as they are. */
const NOT_SEALED: Readonly<Record<string, string>> = {
  "data_keys.wrapped": "sealed by the master key",
  "client_keys.hmac": "a digest under the pepper",
  "client_keys.seal": "a digest of the row under the pepper",
  "oauth_sessions.state_hash": "a digest of a random state",
  "recovery_codes.mac": "a digest under the pepper",
  "login_throttles.device_hash": "a digest of a random cookie",
  "user_sessions.hash": "a digest of a random cookie",
  "user_sessions.device_hash": "a digest of a random cookie",
  "pre_sessions.hash": "a digest of a random cookie",
  "pre_sessions.device_hash": "a digest of a random cookie",
  "login_devices.hash": "a digest of a random cookie",
  "admin_tokens.mac": "a digest under the pepper",
  "setup_secrets.mac": "a digest under the pepper",
  "audit_entries.hash": "a digest of the entry",
  "audit_checkpoints.signature": "a signature, public by nature",
  "audit_prunings.signature": "a signature, public by nature",
};

test("T-10.22 every column of bytes is sealed and known to the rotation, or says why it is not sealed", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "sealed-"));
  directories.push(dataDir);
  const storage = await openStorage({ dataDir });
  const sealed = storage.vault.columns.map(({ table, column }) => `${table}.${column}`);
  const database = new Database(dataPathsOf(dataDir).database, { readonly: true });
  const bytes = database
    .query<{ place: string }, []>(
      `select tables.name || '.' || columns.name as place from sqlite_master tables, pragma_table_info(tables.name) columns
       where tables.type = 'table' and lower(columns.type) = 'blob' order by place`,
    )
    .all()
    .map(({ place }) => place);
  database.close();
  await storage.close();
  expect(bytes).toEqual(expect.arrayContaining(["accounts.credential", "data_keys.wrapped"]));
  expect(bytes.filter((place) => !sealed.includes(place) && NOT_SEALED[place] === undefined)).toEqual([]);
  expect([...sealed, ...Object.keys(NOT_SEALED)].filter((place) => !bytes.includes(place))).toEqual([]);
});
