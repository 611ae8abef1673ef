import { crc32 } from "node:zlib";
import type { LedgerBegin, LedgerSettle, RequestOutcome } from "../../domain/ledger/record.ts";
import type { Usage } from "../../domain/usage/usage.ts";

/** As stored: whole numbers, flags as 0 or 1, absent as null. */
type Cell = string | number | null;

/** The columns of `requests` that a begin fills, in the order of `BEGIN_COLUMNS`. */
export type BeginRecord = { readonly kind: "begin"; readonly id: string; readonly cells: readonly Cell[] };
/** The columns of `requests` that a settlement fills, in the order of `SETTLE_COLUMNS`. */
export type SettleRecord = { readonly kind: "settle"; readonly id: string; readonly cells: readonly Cell[] };
export type SpoolRecord = BeginRecord | SettleRecord;

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
] as const;

/** What a client or upstream may spell: enough to tell things apart, and a bound for the line. */
const MAX_TEXT_LENGTH = 512;

/** Longest line: 7 texts of 512 characters, 6 bytes each when escaped, and the numbers. */
export const MAX_LINE_BYTES = 32 * 1024;

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
  ]);
}

/** Null for a line that is not one of ours, or not whole. `text` has no line break. */
export function parseLine(text: string): SpoolRecord | null {
  const json = text.slice(CRC_LENGTH);
  if (text.slice(0, CRC_LENGTH) !== crcOf(json)) return null;
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

function recordOf([kind, id, ...cells]: readonly unknown[]): SpoolRecord | null {
  if (typeof id !== "string" || id === "" || !cells.every(isCell)) return null;
  if (kind === "b" && fits(cells, BEGIN_CELLS)) return { kind: "begin", id, cells };
  if (kind === "s" && fits(cells, SETTLE_CELLS) && isSettled(cells[SETTLE_COLUMNS.indexOf("outcome")])) {
    return { kind: "settle", id, cells };
  }
  return null;
}

/** n: whole number, t: text; in upper case: may be null. A row that the table would refuse never reaches it. */
const BEGIN_CELLS = "ntttTnnT";
const SETTLE_CELLS = "TnNtnnNnnTTnNNNNNNNTn";

function fits(cells: readonly Cell[], pattern: string): boolean {
  if (cells.length !== pattern.length) return false;
  return cells.every((cell, at) => {
    const wanted = pattern.charAt(at);
    if (cell === null) return wanted === "N" || wanted === "T";
    return typeof cell === "number" ? wanted === "n" || wanted === "N" : wanted === "t" || wanted === "T";
  });
}

function isCell(value: unknown): value is Cell {
  return value === null || typeof value === "string" || Number.isSafeInteger(value);
}

const SETTLED_OUTCOMES: ReadonlySet<unknown> = new Set<RequestOutcome>([
  "completed",
  "upstream_error",
  "client_gone",
  "truncated",
  "refused",
]);

function isSettled(value: unknown): boolean {
  return SETTLED_OUTCOMES.has(value);
}

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
