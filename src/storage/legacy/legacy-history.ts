import { createHash } from "node:crypto";
import { base62FromRandom } from "../../domain/access/base62.ts";
import type { ImportedKey, ImportedRequest } from "./import-writer.ts";
import type { LegacyRow } from "./legacy-database.ts";

const MAX_TEXT_LENGTH = 512;
const MICRO_USD = 1_000_000;
/** 2000-01-01 to 2100-01-01: what is outside was no time in milliseconds. */
const FIRST_MS = 946_684_800_000;
const LAST_MS = 4_102_444_800_000;

/** The same old id gives the same new one, so that a second import finds what the first one wrote. */
export function importedAccountId(oldId: string): string {
  return uuidOf(digestOf("account", oldId), "8");
}

export function importedKeyId(oldId: string): string {
  return base62FromRandom(Buffer.concat([digestOf("key", oldId), digestOf("key.", oldId)]), 10);
}

/** Null when the row has no id or no time: there is nothing to order it by. */
export function importedRequest(row: LegacyRow): ImportedRequest | null {
  const startedAtMs = instantOf(row["timestamp"]);
  const id = textOf(row["id"]);
  if (startedAtMs === null || id === null) return null;
  const totalMs = countOf(row["response_time_ms"]);
  const status = countOf(row["status_code"]);
  const accountUsed = textOf(row["account_used"]);
  const keyId = textOf(row["api_key_id"]);
  const tokens = {
    input_tokens: countOf(row["input_tokens"]),
    cache_write_5m_tokens: countOf(row["cache_creation_input_tokens"]),
    cache_read_tokens: countOf(row["cache_read_input_tokens"]),
    output_tokens: countOf(row["output_tokens"]),
  };
  return {
    id: uuid7Of(startedAtMs, digestOf("request", id)),
    started_at_ms: startedAtMs,
    client_key_id: keyId === null ? "" : importedKeyId(keyId),
    method: textOf(row["method"]) ?? "",
    // A query may carry what must not be stored.
    path: (textOf(row["path"]) ?? "").split("?")[0] ?? "",
    model: textOf(row["model"]),
    is_stream: row["stream_terminal_state"] === null ? 0 : 1,
    request_bytes: 0,
    account_id: accountUsed === null ? null : importedAccountId(accountUsed),
    outcome: outcomeOf(row["success"], status),
    settled_at_ms: startedAtMs + (totalMs ?? 0),
    status,
    attempts: (countOf(row["failover_attempts"]) ?? 0) + 1,
    total_ms: totalMs,
    has_usage: Object.values(tokens).some((count) => count !== null) ? 1 : 0,
    ...tokens,
    is_usage_partial: 0,
    cost_micro_usd: typeof row["cost_usd"] === "number" ? countOf(row["cost_usd"] * MICRO_USD) : null,
  };
}

export function importedKey(row: LegacyRow, nowMs: number): ImportedKey | null {
  const id = textOf(row["id"]);
  if (id === null) return null;
  return {
    id: importedKeyId(id),
    name: importedName(textOf(row["name"]) ?? "", "key"),
    createdAtMs: instantOf(row["created_at"]) ?? nowMs,
    revokedAtMs: nowMs,
    lastUsedAtMs: instantOf(row["last_used"]),
  };
}

/** A name by our rule: 1 to 64 characters of [A-Za-z0-9._-], neither "." nor "..". */
export function importedName(text: string, fallback: string): string {
  const name = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replaceAll(/^[.-]+|[.-]+$/g, "")
    .slice(0, 56);
  return name === "" ? fallback : name;
}

export function textOf(value: LegacyRow[string] | undefined): string | null {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_TEXT_LENGTH) : null;
}

export function instantOf(value: LegacyRow[string] | undefined): number | null {
  return typeof value === "number" && value >= FIRST_MS && value <= LAST_MS ? Math.round(value) : null;
}

function countOf(value: LegacyRow[string] | undefined): number | null {
  if (typeof value !== "number") return null;
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : null;
}

function outcomeOf(success: LegacyRow[string] | undefined, status: number | null): string {
  if (success === 1) return "completed";
  return status === null ? "interrupted" : "upstream_error";
}

function digestOf(kind: string, oldId: string): Buffer {
  return createHash("sha256").update(`bccf-import\0${kind}\0${oldId}`).digest();
}

/** RFC 9562: the ledger is ordered by id, and the id by time. */
function uuid7Of(atMs: number, digest: Buffer): string {
  const bytes = Buffer.from(digest.subarray(0, 16));
  bytes.writeUIntBE(atMs, 0, 6);
  return uuidOf(bytes, "7");
}

function uuidOf(bytes: Buffer, version: "7" | "8"): string {
  const hex = bytes.subarray(0, 16).toString("hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
