import type { Updateable } from "kysely";
import type { AccountChanges, AccountStore, StoredAccount } from "../control/ports.ts";
import { accountId, type KnownModel } from "../domain/account/account.ts";
import { err, ok } from "../kernel/result.ts";
import { epochMs } from "../kernel/time.ts";
import type { AccountsTable, WriteHandle } from "./schema.ts";
import { isUniqueViolation } from "./sqlite/sqlite-error.ts";

const MAX_ACCOUNTS = 10_000;

export function createAccountStore(db: WriteHandle): AccountStore {
  return {
    async list() {
      const rows = await db.selectFrom("accounts").selectAll().orderBy("name").limit(MAX_ACCOUNTS).execute();
      return rows.map(fromRow);
    },

    async insert(account) {
      try {
        await db.insertInto("accounts").values(accountToRow(account)).execute();
        return ok(undefined);
      } catch (cause) {
        if (isUniqueViolation(cause)) return err("name_taken");
        throw cause;
      }
    },

    async update(id, changes) {
      const set = toColumns(changes);
      if (Object.keys(set).length === 0) {
        return (await db.selectFrom("accounts").select("id").where("id", "=", id).executeTakeFirst()) !== undefined;
      }
      const { numUpdatedRows } = await db.updateTable("accounts").set(set).where("id", "=", id).executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async remove(id) {
      const { numDeletedRows } = await db.deleteFrom("accounts").where("id", "=", id).executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

function toColumns(changes: AccountChanges): Updateable<AccountsTable> {
  const set: Updateable<AccountsTable> = {};
  if (changes.isPaused !== undefined) set.is_paused = changes.isPaused ? 1 : 0;
  if (changes.priority !== undefined) set.priority = changes.priority;
  if (changes.weight !== undefined) set.weight = changes.weight;
  if (changes.learnedOrganization !== undefined) set.learned_organization = changes.learnedOrganization;
  if (changes.workspace !== undefined) set.workspace = changes.workspace;
  if (changes.models !== undefined) set.models = JSON.stringify(changes.models);
  return set;
}

export function accountToRow(account: StoredAccount): AccountsTable {
  return {
    id: account.id,
    name: account.name,
    provider: account.provider,
    base_url: account.baseUrl,
    credential_kind: account.credentialKind,
    credential: account.credential,
    generation: account.generation,
    priority: account.priority,
    weight: account.weight,
    organization: account.declaredOrganization,
    learned_organization: account.learnedOrganization,
    workspace: account.workspace,
    is_paused: account.isPaused ? 1 : 0,
    created_at_ms: account.createdAtMs,
    models: JSON.stringify(account.models),
  };
}

function fromRow(row: AccountsTable): StoredAccount {
  return {
    id: accountId(row.id),
    name: row.name,
    provider: row.provider,
    baseUrl: row.base_url,
    credentialKind: row.credential_kind,
    credential: row.credential,
    generation: row.generation,
    priority: row.priority,
    weight: row.weight,
    declaredOrganization: row.organization,
    learnedOrganization: row.learned_organization,
    workspace: row.workspace,
    isPaused: row.is_paused === 1,
    createdAtMs: epochMs(row.created_at_ms),
    models: parseModels(row.models),
  };
}

/** Total: a list that cannot be read is "not known yet", and the next probe fills it again. */
function parseModels(text: string): KnownModel[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isKnownModel) : [];
}

function isKnownModel(value: unknown): value is KnownModel {
  if (typeof value !== "object" || value === null || !("id" in value) || !("displayName" in value)) return false;
  return typeof value.id === "string" && typeof value.displayName === "string";
}
