import { after, durationMs, type EpochMs } from "../../kernel/time.ts";
import { readHttpDate, readResetInstant } from "./instant-text.ts";
import { type LimitFacts, type LimitWindowFact, noLimitFacts, type UnifiedFacts } from "./limit-facts.ts";

const DAY_MS = 86_400_000;
/** No window is longer than a month: who asks for a longer rest is asked again after it. */
const MAX_RETRY_AFTER_MS = durationMs(31 * DAY_MS);
/** A reset further ahead is a mistake (milliseconds for seconds, say), not a fact. */
const FURTHEST_RESET_MS = durationMs(366 * DAY_MS);
const MAX_WINDOWS = 16;
const MAX_OTHERS = 16;
const MAX_ORGANIZATION_CHARACTERS = 128;
const MAX_TEXT_CHARACTERS = 256;

const ANTHROPIC = "anthropic-";
const RATE_LIMIT = "anthropic-ratelimit-";
const UNIFIED = "anthropic-ratelimit-unified-";

const HYPHEN = 45;
/** Letters of the first character, in lower case: the only names worth a closer look. */
const LETTER_A = 97;
const LETTER_R = 114;
const LETTER_X = 120;
const TO_LOWER_CASE_BIT = 32;

type Mutable<Shape> = { -readonly [Key in keyof Shape]: Shape[Key] };
type Draft = Omit<Mutable<LimitFacts>, "windows" | "unified" | "others"> & {
  readonly nowMs: EpochMs;
  windows: Mutable<LimitWindowFact>[];
  unified: Mutable<UnifiedFacts> | null;
  others: (readonly [string, string])[];
};

/**
 * Reads what a response says about limits. Never throws; what cannot be read counts as not said. Of a repeated field
 * the last counts. `noLimitFacts` itself when nothing is said.
 * @see https://platform.claude.com/docs/en/api/rate-limits
 */
// hot path: runs for every response, so that a header of another kind costs one or two character tests
export function readLimitFacts(headers: Iterable<readonly [string, string]>, nowMs: EpochMs): LimitFacts {
  let draft: Draft | null = null;
  for (const [name, value] of headers) {
    if (mayMatter(name)) {
      draft ??= newDraft(nowMs);
      readField(draft, name.toLowerCase(), value);
    }
  }
  if (draft === null) {
    return noLimitFacts;
  }
  const { retryAtMs, shouldRetry, windows, unified, organizationId, others } = draft;
  return { retryAtMs, shouldRetry, windows, unified, organizationId, others };
}

function mayMatter(name: string): boolean {
  const first = name.charCodeAt(0) | TO_LOWER_CASE_BIT;
  return (
    (first === LETTER_A && name.charCodeAt(ANTHROPIC.length - 1) === HYPHEN) ||
    (first === LETTER_R && name.length === "retry-after".length) ||
    (first === LETTER_X && name.length === "x-should-retry".length)
  );
}

function newDraft(nowMs: EpochMs): Draft {
  return { ...noLimitFacts, nowMs, windows: [], unified: null, others: [] };
}

function readField(draft: Draft, name: string, value: string): void {
  if (name === "retry-after") {
    draft.retryAtMs = readRetryAfter(value, draft.nowMs);
  } else if (name === "x-should-retry") {
    draft.shouldRetry = readFlag(value);
  } else if (name === "anthropic-organization-id") {
    draft.organizationId = value.length <= MAX_ORGANIZATION_CHARACTERS && value !== "" ? value : null;
  } else if (name.startsWith(UNIFIED)) {
    readUnified(draft, name, value);
  } else if (name.startsWith(RATE_LIMIT)) {
    readWindow(draft, name, { value, prefixLength: RATE_LIMIT.length, isPlan: false });
  } else if (name.startsWith("anthropic-priority-") || name.startsWith("anthropic-fast-")) {
    readWindow(draft, name, { value, prefixLength: ANTHROPIC.length, isPlan: false });
  } else if (name.startsWith(ANTHROPIC)) {
    keepUnknown(draft, name, value);
  }
}

/** Seconds or an HTTP date, at most 31 days ahead; null when it is neither, or a date that has passed. */
function readRetryAfter(value: string, nowMs: EpochMs): EpochMs | null {
  const latestMs = after(nowMs, MAX_RETRY_AFTER_MS);
  if (/^\d+(?:\.\d+)?$/.test(value)) {
    // Rounded up: "earlier retries fail".
    return after(nowMs, durationMs(Math.min(Math.ceil(Number(value) * 1000), MAX_RETRY_AFTER_MS)));
  }
  const date = readHttpDate(value);
  return date === null || date <= nowMs ? null : earlier(date, latestMs);
}

function readUnified(draft: Draft, name: string, value: string): void {
  draft.unified ??= newUnified();
  const { unified } = draft;
  switch (name.slice(UNIFIED.length)) {
    case "status":
      unified.status = boundedText(value);
      return;
    case "reset":
      unified.resetAtMs = readReset(value, draft.nowMs);
      return;
    case "representative-claim":
      unified.representativeClaim = boundedText(value);
      return;
    case "fallback":
      unified.fallback = boundedText(value);
      return;
    case "fallback-percentage":
      unified.fallbackRatio = readAmount(value);
      return;
    case "overage-status":
      unified.overageStatus = boundedText(value);
      return;
    case "overage-reset":
      unified.overageResetAtMs = readReset(value, draft.nowMs);
      return;
    case "overage-disabled-reason":
      unified.overageDisabledReason = boundedText(value);
      return;
    case "overage-in-use":
      unified.isOverageInUse = readFlag(value);
      return;
    default:
      readWindow(draft, name, { value, prefixLength: UNIFIED.length, isPlan: true });
  }
}

function newUnified(): Mutable<UnifiedFacts> {
  return {
    status: null,
    resetAtMs: null,
    representativeClaim: null,
    fallback: null,
    fallbackRatio: null,
    overageStatus: null,
    overageResetAtMs: null,
    overageDisabledReason: null,
    isOverageInUse: null,
  };
}

type WindowField = { readonly value: string; readonly prefixLength: number; readonly isPlan: boolean };

function readWindow(draft: Draft, name: string, field: WindowField): void {
  const dash = name.lastIndexOf("-");
  const windowName = name.slice(field.prefixLength, dash);
  const property = name.slice(dash + 1);
  const known = dash > field.prefixLength && WINDOW_PROPERTIES.has(property);
  const window = known ? windowOf(draft, windowName, field.isPlan) : null;
  if (window === null) {
    keepUnknown(draft, name, field.value);
    return;
  }
  switch (property) {
    case "limit":
      window.limit = readAmount(field.value);
      return;
    case "remaining":
      window.remaining = readAmount(field.value);
      return;
    case "reset":
      window.resetAtMs = readReset(field.value, draft.nowMs);
      return;
    case "utilization":
      window.usedRatio = readAmount(field.value);
      return;
    default:
      window.status = boundedText(field.value);
  }
}

const WINDOW_PROPERTIES: ReadonlySet<string> = new Set(["limit", "remaining", "reset", "utilization", "status"]);

/** Null when there are too many already. */
function windowOf(draft: Draft, name: string, isPlan: boolean): Mutable<LimitWindowFact> | null {
  for (const window of draft.windows) {
    if (window.name === name && window.isPlan === isPlan) {
      return window;
    }
  }
  if (draft.windows.length >= MAX_WINDOWS || name.length > MAX_TEXT_CHARACTERS) {
    return null;
  }
  const window = { name, isPlan, limit: null, remaining: null, usedRatio: null, status: null, resetAtMs: null };
  draft.windows.push(window);
  return window;
}

function keepUnknown(draft: Draft, name: string, value: string): void {
  if (draft.others.length < MAX_OTHERS && name.length <= MAX_TEXT_CHARACTERS) {
    draft.others.push([name, boundedText(value)]);
  }
}

/** A reset that is further ahead than any window is long counts as not said. */
function readReset(value: string, nowMs: EpochMs): EpochMs | null {
  const reset = readResetInstant(value);
  return reset === null || reset > after(nowMs, FURTHEST_RESET_MS) ? null : reset;
}

/** A decimal that is not negative, with as many digits as a float prints ("0.30000000000000004", "1e-05"); else null. */
function readAmount(value: string): number | null {
  return /^\d{1,15}(?:\.\d{1,20})?(?:e-\d{1,2})?$/.test(value) ? Number(value) : null;
}

function readFlag(value: string): boolean | null {
  return value === "true" ? true : value === "false" ? false : null;
}

function boundedText(value: string): string {
  return value.length <= MAX_TEXT_CHARACTERS ? value : value.slice(0, MAX_TEXT_CHARACTERS);
}

function earlier(left: EpochMs, right: EpochMs): EpochMs {
  return left < right ? left : right;
}
