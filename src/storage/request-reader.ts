import { sql } from "kysely";
import type { RequestFilter, RequestReader, RequestRow, RequestTally, TracedRow, TracePage } from "../control/ports.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { accountId } from "../domain/account/account.ts";
import { requestId } from "../domain/ledger/record.ts";
import type { Usage } from "../domain/usage/usage.ts";
import { type DurationMs, durationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import type { ReadHandle, RequestsTable } from "./schema.ts";

const MAX_ROWS = 1000;
const MAX_TALLIES = 10_000;
const MAX_TRACE_ROWS = 5000;
/** How much earlier than its start a request's id may have been drawn. */
const ID_SLACK_MS = 60_000;

export function createRequestReader(db: ReadHandle): RequestReader {
  return {
    async newest(limit, filter = {}) {
      const rows = await filtered(db, filter)
        .select(ROW_COLUMNS)
        .orderBy("id", "desc")
        .limit(Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS))
        .execute();
      return rows.map(fromRow);
    },

    async get(id) {
      const row = await db.selectFrom("requests").select(ROW_COLUMNS).where("id", "=", id).executeTakeFirst();
      return row === undefined ? null : fromRow(row);
    },

    stats: (sinceMs, filter = {}) => tallies(db, sinceMs, filter),

    async explained(id) {
      const row = await db.selectFrom("requests").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? null : { row: fromRow(row), decision: row.decision };
    },

    trace: (page) => traceRows(db, page),
  };
}

/** Without the decision, which is the largest cell: a list shows a thousand rows and no reasons. */
const ROW_COLUMNS = [
  "id",
  "started_at_ms",
  "client_key_id",
  "method",
  "path",
  "model",
  "is_stream",
  "account_id",
  "outcome",
  "status",
  "attempts",
  "queue_ms",
  "first_byte_ms",
  "total_ms",
  "has_usage",
  "input_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "cache_read_tokens",
  "output_tokens",
  "web_search_requests",
  "web_fetch_requests",
  "service_tier",
  "is_usage_partial",
  "upstream_request_id",
  "error_type",
  "cost_micro_usd",
  "thinking_dropped",
] as const satisfies readonly (keyof RequestsTable)[];

type SelectedRow = Pick<RequestsTable, (typeof ROW_COLUMNS)[number]>;

async function traceRows(db: ReadHandle, { sinceMs, afterId, limit }: TracePage): Promise<readonly TracedRow[]> {
  const rows = await db
    .selectFrom("requests")
    .select(ROW_COLUMNS)
    .select("conversation")
    .where("id", ">", afterId ?? lowestIdAt(sinceMs - ID_SLACK_MS))
    .where("started_at_ms", ">=", sinceMs)
    .where("outcome", "not in", ["in_flight", "interrupted"])
    .orderBy("id")
    .limit(Math.min(Math.max(1, Math.trunc(limit)), MAX_TRACE_ROWS))
    .execute();
  return rows.map((row) => ({ row: fromRow(row), conversation: row.conversation }));
}

function filtered(db: ReadHandle, filter: RequestFilter) {
  let query = db.selectFrom("requests");
  if (filter.accountId !== undefined) query = query.where("account_id", "=", filter.accountId);
  if (filter.clientKeyId !== undefined) query = query.where("client_key_id", "=", filter.clientKeyId);
  if (filter.clientKeyIds !== undefined) query = query.where("client_key_id", "in", [...filter.clientKeyIds]);
  if (filter.outcome !== undefined) query = query.where("outcome", "=", filter.outcome);
  return query;
}

async function tallies(db: ReadHandle, sinceMs: EpochMs, filter: RequestFilter): Promise<readonly RequestTally[]> {
  const rows = await filtered(db, filter)
    .select(["account_id", "model", "outcome"])
    .select(({ fn }) => [
      fn.countAll<number>().as("request_count"),
      sql<number>`total(input_tokens)`.as("input_tokens"),
      sql<number>`total(cache_write_5m_tokens)`.as("cache_write_5m_tokens"),
      sql<number>`total(cache_write_1h_tokens)`.as("cache_write_1h_tokens"),
      sql<number>`total(cache_read_tokens)`.as("cache_read_tokens"),
      sql<number>`total(output_tokens)`.as("output_tokens"),
    ])
    // The primary key is ordered by time: only the rows of the span are read.
    .where("id", ">=", lowestIdAt(sinceMs - ID_SLACK_MS))
    .where("started_at_ms", ">=", sinceMs)
    .groupBy(["account_id", "model", "outcome"])
    .orderBy("request_count", "desc")
    .limit(MAX_TALLIES)
    .execute();
  return rows.map((row) => ({
    accountId: row.account_id === null ? null : accountId(row.account_id),
    model: row.model,
    outcome: row.outcome,
    requestCount: row.request_count,
    inputTokens: row.input_tokens,
    cacheWrite5mTokens: row.cache_write_5m_tokens,
    cacheWrite1hTokens: row.cache_write_1h_tokens,
    cacheReadTokens: row.cache_read_tokens,
    outputTokens: row.output_tokens,
  }));
}

/** The first 48 bits of a UUIDv7 are its milliseconds (RFC 9562, section 5.7). */
function lowestIdAt(instantMs: number): string {
  const hex = Math.max(0, Math.trunc(instantMs)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

function fromRow(row: SelectedRow): RequestRow {
  return {
    id: requestId(row.id),
    startedAtMs: epochMs(row.started_at_ms),
    clientKeyId: clientKeyId(row.client_key_id),
    accountId: row.account_id === null ? null : accountId(row.account_id),
    method: row.method,
    path: row.path,
    model: row.model,
    isStream: row.is_stream === 1,
    outcome: row.outcome,
    status: row.status,
    attempts: row.attempts,
    queueMs: spanOrNull(row.queue_ms),
    firstByteMs: spanOrNull(row.first_byte_ms),
    totalMs: spanOrNull(row.total_ms),
    usage: row.has_usage === 1 ? usageOf(row) : null,
    errorType: row.error_type,
    upstreamRequestId: row.upstream_request_id,
    costMicroUsd: row.cost_micro_usd,
    thinkingDropped: row.thinking_dropped,
  };
}

function usageOf(row: SelectedRow): Usage {
  return {
    inputTokens: row.input_tokens,
    cacheWrite5mTokens: row.cache_write_5m_tokens,
    cacheWrite1hTokens: row.cache_write_1h_tokens,
    cacheReadTokens: row.cache_read_tokens,
    outputTokens: row.output_tokens,
    webSearchRequests: row.web_search_requests,
    webFetchRequests: row.web_fetch_requests,
    serviceTier: row.service_tier,
    isPartial: row.is_usage_partial === 1,
  };
}

function spanOrNull(value: number | null): DurationMs | null {
  return value === null ? null : durationMs(Math.max(0, value));
}
