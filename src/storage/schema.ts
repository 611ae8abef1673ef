import type { Kysely } from "kysely";
import type { CredentialKind } from "../domain/account/account.ts";
import type { RequestOutcome } from "../domain/ledger/record.ts";
import type { PeopleSchema } from "./people/people-schema.ts";

/** 0 or 1: SQLite has no boolean. */
export type Flag = number;

export type MetaTable = { key: string; value: string };

export type DataKeysTable = {
  id: number;
  purpose: string;
  kek_id: string;
  wrapped: Uint8Array;
  created_at_ms: number;
  state: string;
  encryptions: number;
};

export type AccountsTable = {
  id: string;
  name: string;
  provider: "anthropic";
  base_url: string;
  credential_kind: CredentialKind;
  /** Envelope of the keyring, bound to table, column, id and generation. */
  credential: Uint8Array;
  generation: number;
  priority: number;
  weight: number;
  /** As the operator declared it. */
  organization: string | null;
  /** As the provider named it in `anthropic-organization-id`; counts only where none is declared. */
  learned_organization: string | null;
  workspace: string | null;
  is_paused: Flag;
  created_at_ms: number;
  /** JSON: [{"id","displayName"}]. */
  models: string;
};

export type ClientKeysTable = {
  /** The public kid, 10 base62 characters. */
  id: string;
  name: string;
  hmac: Uint8Array;
  pepper_version: number;
  created_at_ms: number;
  revoked_at_ms: number | null;
  expires_at_ms: number | null;
  last_used_at_ms: number | null;
  /** Null: the operator's. */
  owner_id: string | null;
  /** JSON (client-key-access.ts); null: of a version without grants and limits. */
  access: string | null;
  rotated_to: string | null;
  /** MAC over the row. */
  seal: Uint8Array | null;
};

/** One row per request. Retention: until an operator deletes (docs/guide/backup-and-upgrade.md). Ordered by id, which is ordered by time. */
export type RequestsTable = {
  id: string;
  started_at_ms: number;
  /** Empty, with method and path, when the entry of the begin was lost and only the settlement arrived. */
  client_key_id: string;
  method: string;
  path: string;
  model: string | null;
  is_stream: Flag;
  request_bytes: number;
  account_id: string | null;
  outcome: RequestOutcome;
  settled_at_ms: number | null;
  status: number | null;
  attempts: number;
  queue_ms: number | null;
  first_byte_ms: number | null;
  total_ms: number | null;
  response_bytes: number | null;
  has_usage: Flag;
  input_tokens: number | null;
  cache_write_5m_tokens: number | null;
  cache_write_1h_tokens: number | null;
  cache_read_tokens: number | null;
  output_tokens: number | null;
  web_search_requests: number | null;
  web_fetch_requests: number | null;
  service_tier: string | null;
  is_usage_partial: Flag;
  upstream_request_id: string | null;
  error_type: string | null;
  /** `encodeDecision` of domain/decision; null for what was settled before migration 0002. */
  decision: string | null;
  /** A short hash: tells which requests belong together, and nothing else. */
  conversation: string | null;
  cost_micro_usd: number | null;
  thinking_dropped: number | null;
};

/** How far each spool segment is in the database. Written in the transaction that writes the rows. */
export type SpoolPositionsTable = { segment: string; ingested_bytes: number };

/** Retention: one row per name, overwritten. */
export type PoolStateTable = { name: string; value: string };

/** Where each live conversation's prompt cache is. Retention: `selection.homeMs` after the last use, and the newest only. */
export type ConversationsTable = {
  key: string;
  account_id: string;
  last_used_ms: number;
  cache_ms: number;
  prefix_tokens: number;
};

/** The audit log: gapless, each hash over the entry and the hash before. Retention: `audit.retentionDays`. */
export type AuditEntriesTable = {
  seq: number;
  at_ms: number;
  /** Canonical JSON (audit/entry.ts). */
  entry: string;
  hash: Uint8Array;
};

/** One row: the log's random id and the key that signs its checkpoints. Retention: kept. */
export type AuditLogTable = {
  id: string;
  generation: number;
  /** Envelope of the keyring, bound to table, column, id and generation. */
  signing_key: Uint8Array;
};

/** Signed heads of the chain. Retention: as their entries. */
export type AuditCheckpointsTable = {
  /** The last entry that it covers. */
  seq: number;
  at_ms: number;
  /** Canonical JSON (audit/checkpoint.ts), exactly as signed. */
  statement: string;
  signature: Uint8Array;
};

/** What was removed of the audit log: the highest one holds. Retention: kept, one a day at most. */
export type AuditPruningsTable = {
  /** The last entry that was removed. */
  seq: number;
  at_ms: number;
  /** Canonical JSON (audit/pruned.ts), exactly as signed. */
  statement: string;
  signature: Uint8Array;
};

/** How far a place elsewhere has taken the audit log. Retention: kept. */
export type AuditSinksTable = {
  name: string;
  /** The last line that it took: the entry, or its checkpoint. */
  seq: number;
  is_after_checkpoint: 0 | 1;
  /** When it was first used: it owes nothing from before. */
  since_ms: number;
};

/** The login of an account that renews itself; goes with its account. */
export type OauthAccountsTable = {
  account_id: string;
  client_id: string;
  authorize_url: string;
  token_url: string;
  /** Separated by one space. */
  scopes: string;
  /** Envelope of the keyring, bound to table, column, account and the generation of `accounts`. */
  refresh_token: Uint8Array | null;
  issued_at_ms: number;
  expires_at_ms: number | null;
  state: "active" | "needs_reauth";
  terms_accepted_at_ms: number;
  /** Who may send the refresh token, and until when nobody else may. */
  lease_owner: string | null;
  lease_until_ms: number | null;
};

/** A login under way. Retention: 10 minutes. */
export type OauthSessionsTable = {
  id: string;
  owner: string;
  /** Envelope of the keyring, bound to table, column and id. */
  sealed: Uint8Array;
  state_hash: Uint8Array;
  created_at_ms: number;
  expires_at_ms: number;
};

export type Schema = PeopleSchema & {
  oauth_accounts: OauthAccountsTable;
  oauth_sessions: OauthSessionsTable;
  meta: MetaTable;
  data_keys: DataKeysTable;
  accounts: AccountsTable;
  client_keys: ClientKeysTable;
  requests: RequestsTable;
  spool_positions: SpoolPositionsTable;
  pool_state: PoolStateTable;
  conversations: ConversationsTable;
  audit_log: AuditLogTable;
  audit_entries: AuditEntriesTable;
  audit_checkpoints: AuditCheckpointsTable;
  audit_prunings: AuditPruningsTable;
  audit_sinks: AuditSinksTable;
};

/** Can only ask. */
export type ReadHandle = Pick<Kysely<Schema>, "selectFrom">;

/** May change what it finds. */
export type WriteHandle = Kysely<Schema>;
