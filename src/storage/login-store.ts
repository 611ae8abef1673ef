import { sql, type Transaction } from "kysely";
import type { LoginStore, SealedTokens, StoredLogin } from "../control/oauth-ports.ts";
import { type AccountId, accountId } from "../domain/account/account.ts";
import { err, ok } from "../kernel/result.ts";
import { epochMs } from "../kernel/time.ts";
import { accountToRow } from "./account-store.ts";
import type { OauthAccountsTable, Schema, WriteHandle } from "./schema.ts";
import { isUniqueViolation } from "./sqlite/sqlite-error.ts";

const MAX_LOGINS = 10_000;

/** Logins that renew themselves. The access token lies in `accounts.credential`, with the generation of both. */
export function createLoginStore(db: WriteHandle): LoginStore {
  return {
    async list() {
      return (await loginsOf(db).limit(MAX_LOGINS).execute()).map(fromRow);
    },

    async read(id) {
      const row = await loginsOf(db).where("oauth_accounts.account_id", "=", id).executeTakeFirst();
      return row === undefined ? null : fromRow(row);
    },

    async insert(account, login) {
      const { clientId, authorizeUrl, tokenUrl, scopes } = login.client;
      try {
        await inTransaction(db, async (work) => {
          await work.insertInto("accounts").values(accountToRow(account)).execute();
          const row: OauthAccountsTable = {
            account_id: account.id,
            client_id: clientId,
            authorize_url: authorizeUrl,
            token_url: tokenUrl,
            scopes: scopes.join(" "),
            ...tokenColumns(login),
            state: "active",
            terms_accepted_at_ms: login.termsAcceptedAtMs,
            lease_owner: null,
            lease_until_ms: null,
          };
          await work.insertInto("oauth_accounts").values(row).execute();
        });
        return ok(undefined);
      } catch (cause) {
        if (isUniqueViolation(cause)) return err("name_taken");
        throw cause;
      }
    },

    async takeLease(id, { owner, nowMs, untilMs }) {
      const { numUpdatedRows } = await db
        .updateTable("oauth_accounts")
        .set({ lease_owner: owner, lease_until_ms: untilMs })
        .where("account_id", "=", id)
        .where(sql<boolean>`(lease_owner is null or lease_owner = ${owner} or lease_until_ms <= ${nowMs})`)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async releaseLease(id, owner) {
      await db
        .updateTable("oauth_accounts")
        .set({ lease_owner: null, lease_until_ms: null })
        .where("account_id", "=", id)
        .where("lease_owner", "=", owner)
        .execute();
    },

    rotate: (id, generation, tokens) => rotate(db, { id, generation }, tokens),

    async markNeedsReauth(id, { generation, owner }) {
      const { numUpdatedRows } = await db
        .updateTable("oauth_accounts")
        .set({ state: "needs_reauth", lease_owner: null, lease_until_ms: null })
        .where("account_id", "=", id)
        .where("lease_owner", "=", owner)
        .where(sql<boolean>`(select generation from accounts where id = ${id}) = ${generation}`)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
  };
}

type At = { readonly id: AccountId; readonly generation: number };

function rotate(db: WriteHandle, { id, generation }: At, tokens: SealedTokens): Promise<boolean> {
  return inTransaction(db, async (work) => {
    const { numUpdatedRows } = await work
      .updateTable("accounts")
      .set({ credential: tokens.accessToken, generation: generation + 1 })
      .where("id", "=", id)
      .where("generation", "=", generation)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    await work
      .updateTable("oauth_accounts")
      .set({ ...tokenColumns(tokens), state: "active", lease_owner: null, lease_until_ms: null })
      .where("account_id", "=", id)
      .execute();
    return true;
  });
}

function inTransaction<Value>(db: WriteHandle, work: (db: Transaction<Schema> | WriteHandle) => Promise<Value>) {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}

function loginsOf(db: WriteHandle) {
  return db
    .selectFrom("oauth_accounts")
    .innerJoin("accounts", "accounts.id", "oauth_accounts.account_id")
    .selectAll("oauth_accounts")
    .select(["accounts.credential", "accounts.generation"]);
}

type LoginRow = OauthAccountsTable & { readonly credential: Uint8Array; readonly generation: number };

function tokenColumns(tokens: SealedTokens) {
  return {
    refresh_token: tokens.refreshToken,
    issued_at_ms: tokens.issuedAtMs,
    expires_at_ms: tokens.expiresAtMs,
  };
}

function fromRow(row: LoginRow): StoredLogin {
  return {
    accountId: accountId(row.account_id),
    client: {
      clientId: row.client_id,
      authorizeUrl: row.authorize_url,
      tokenUrl: row.token_url,
      scopes: row.scopes === "" ? [] : row.scopes.split(" "),
    },
    generation: row.generation,
    state: row.state,
    accessToken: row.credential,
    refreshToken: row.refresh_token,
    issuedAtMs: epochMs(row.issued_at_ms),
    expiresAtMs: row.expires_at_ms === null ? null : epochMs(row.expires_at_ms),
  };
}
