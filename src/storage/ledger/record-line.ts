import { crc32 } from "node:zlib";
import type { LedgerBegin, LedgerSettle, RequestOutcome } from "../../domain/ledger/record.ts";
import type { Usage } from "../../domain/usage/usage.ts";

/** As stored: whole numbers, flags as 0 or 1, absent as null. */
type Cell = string | number | null;

/** A line of the spool. `cells` starts at `FIRST_CELL` with the columns of its kind, in their order. */
export type SpoolRecord = {
  readonly kind: "begin" | "settle";
  readonly id: string;
  readonly cells: readonly Cell[];
};

/** The kind and the id come before the columns. */
export const FIRST_CELL = 2;

/** The columns of `requests` that a begin fills. */
export const BEGIN_COLUMNS = [
  "started_at_ms",
  "client_key_id",
  "method",
  "path",
  "model",
  "is_stream",
  "request_bytes",
  "account_id",
] as const;

/** The columns of `requests` that a settlement fills. */
export const SETTLE_COLUMNS = [
  "account_id",
  "settled_at_ms",
  "status",
  "outcome",
  "attempts",
  "queue_ms",
  "first_byte_ms",
  "total_ms",
  "response_bytes",
  "upstream_request_id",
  "error_type",
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
  "decision",
  "conversation",
  "cost_micro_usd",
  "thinking_dropped",
] as const;

/** What a client or upstream may spell: enough to tell things apart, and a bound for the line. */
const MAX_TEXT_LENGTH = 512;

/** A longer decision is left out: half of one says nothing (domain/decision keeps the same bound). */
const MAX_DECISION_LENGTH = 2000;

/** Longest line: 7 texts of 512 characters and a decision of 2,000, 6 bytes each when escaped, and the numbers. */
export const MAX_LINE_BYTES = 48 * 1024;

const NO_USAGE: readonly Cell[] = [0, null, null, null, null, null, null, null, null, 0];

// hot path
export function beginLine(entry: LedgerBegin): string {
  return line([
    "b",
    clip(entry.id),
    Math.round(entry.startedAtMs),
    clip(entry.clientKeyId),
    clip(entry.method),
    clip(entry.path),
    clipOrNull(entry.model),
    entry.isStream ? 1 : 0,
    Math.round(entry.requestBytes),
    clipOrNull(entry.accountId),
  ]);
}

// hot path
export function settleLine(entry: LedgerSettle): string {
  return line([
    "s",
    clip(entry.id),
    clipOrNull(entry.accountId),
    Math.round(entry.settledAtMs),
    roundOrNull(entry.status),
    entry.outcome,
    Math.round(entry.attempts),
    Math.round(entry.queueMs),
    roundOrNull(entry.firstByteMs),
    Math.round(entry.totalMs),
    Math.round(entry.responseBytes),
    clipOrNull(entry.upstreamRequestId),
    clipOrNull(entry.errorType),
    ...(entry.usage === null ? NO_USAGE : usageCells(entry.usage)),
    entry.decision === null || entry.decision.length > MAX_DECISION_LENGTH ? null : entry.decision,
    entry.conversation === null ? null : Bun.hash(entry.conversation).toString(36),
    roundOrNull(entry.costMicroUsd),
    roundOrNull(entry.thinkingDropped),
  ]);
}

/** Null for a line that is not one of ours, or not whole. `text` has no line break. */
export function parseLine(text: string): SpoolRecord | null {
  const json = text.slice(CRC_LENGTH);
  if (!text.startsWith(crcOf(json))) return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  return Array.isArray(value) ? recordOf(value) : null;
}

const CRC_LENGTH = 8;

function line(cells: readonly Cell[]): string {
  const json = JSON.stringify(cells);
  return `${crcOf(json)}${json}\n`;
}

function crcOf(json: string): string {
  return crc32(json).toString(16).padStart(CRC_LENGTH, "0");
}

function recordOf(cells: unknown[]): SpoolRecord | null {
  const [kind, id] = cells;
  if (typeof id !== "string" || id === "") return null;
  if (kind === "b" && fits(cells, BEGIN_CELLS)) return { kind: "begin", id, cells };
  if (kind === "s" && cells.length === SETTLE_CELLS_BEFORE_0002) cells.push(null, null, null, null);
  if (kind === "s" && fits(cells, SETTLE_CELLS) && SETTLED_OUTCOMES.has(cells[OUTCOME])) {
    return { kind: "settle", id, cells };
  }
  return null;
}

const OUTCOME = FIRST_CELL + SETTLE_COLUMNS.indexOf("outcome");

type CellRule = { readonly isText: boolean; readonly isNullable: boolean };

/** n: whole number, t: text; in upper case: may be null. A row that the table would refuse never reaches it. */
const BEGIN_CELLS = cellRules("ttntttTnnT");
const SETTLE_CELLS = cellRules("ttTnNtnnNnnTTnNNNNNNNTnTTNN");

/** A spool that the release before migration 0002 left: its lines end before the decision. */
const SETTLE_CELLS_BEFORE_0002 = FIRST_CELL + SETTLE_COLUMNS.indexOf("decision");

function cellRules(pattern: string): readonly CellRule[] {
  return Array.from(pattern, (letter) => ({
    isText: letter.toLowerCase() === "t",
    isNullable: letter === letter.toUpperCase(),
  }));
}

/** Loops instead of callbacks: 0.1 us for a settlement against 1.2 us, of about 6 that a row may cost. */
function fits(cells: unknown[], rules: readonly CellRule[]): cells is Cell[] {
  if (cells.length !== rules.length) return false;
  let at = 0;
  for (const { isText, isNullable } of rules) {
    const cell = cells[at];
    at += 1;
    if (cell === null ? !isNullable : isText ? typeof cell !== "string" : !Number.isSafeInteger(cell)) return false;
  }
  return true;
}

const SETTLED_OUTCOMES: ReadonlySet<unknown> = new Set<RequestOutcome>([
  "completed",
  "upstream_error",
  "client_gone",
  "truncated",
  "refused",
  "revoked",
]);

function usageCells(usage: Usage): readonly Cell[] {
  return [
    1,
    roundOrNull(usage.inputTokens),
    roundOrNull(usage.cacheWrite5mTokens),
    roundOrNull(usage.cacheWrite1hTokens),
    roundOrNull(usage.cacheReadTokens),
    roundOrNull(usage.outputTokens),
    roundOrNull(usage.webSearchRequests),
    roundOrNull(usage.webFetchRequests),
    clipOrNull(usage.serviceTier),
    usage.isPartial ? 1 : 0,
  ];
}

function clip(text: string): string {
  return text.length > MAX_TEXT_LENGTH ? text.slice(0, MAX_TEXT_LENGTH) : text;
}

function clipOrNull(text: string | null): string | null {
  return text === null ? null : clip(text);
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
