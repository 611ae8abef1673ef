import { type EpochMs, epochMs } from "../../kernel/time.ts";
import type { ModelClass } from "../account/account.ts";
import { REASONS, type ReasonCode } from "../failover/reason.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { memberOf } from "../request/json-member.ts";
import { type AccountHold, MAX_HOLD_ENTRIES, type RefusedCredential } from "./account-hold.ts";
import { type Block, boundedCause } from "./block.ts";
import { type ClassLimits, noLimits, type Probe } from "./class-limits.ts";
import type { OriginCircuit } from "./origin-circuit.ts";

/**
 * Readers of what a snapshot holds. Each is total: what is not of the expected shape is null, and of a list only the
 * entries that are.
 */

/** Windows of one answer, as `readLimitFacts` bounds them. */
const MAX_WINDOWS = 16;
const MAX_TEXT_CHARACTERS = 512;
/** The last instant that a `Date` can hold. */
const MAX_INSTANT = 8.64e15;
const MAX_COUNT = 1000;

export function readText(value: unknown): string | null {
  return typeof value === "string" && value !== "" && value.length <= MAX_TEXT_CHARACTERS ? value : null;
}

export function readList<Item>(value: unknown, max: number, read: (item: unknown) => Item | null): readonly Item[] {
  const items = Array.isArray(value) ? value.slice(0, max) : [];
  return items.map(read).filter((item): item is Item => item !== null);
}

export function readLimits(value: unknown): ClassLimits | null {
  const windows = readList(memberOf(value, "windows"), MAX_WINDOWS, readWindow);
  const limits: ClassLimits = {
    bench: readBlock(memberOf(value, "bench")),
    probe: readProbe(memberOf(value, "probe")),
    softUntilMs: readInstant(memberOf(value, "softUntilMs")),
    windows,
    others: [],
    seenAtMs: (windows.length === 0 ? null : readInstant(memberOf(value, "seenAtMs"))) ?? noLimits.seenAtMs,
  };
  const isEmpty = limits.bench === null && limits.probe === null && limits.softUntilMs === null;
  return isEmpty && windows.length === 0 ? null : limits;
}

export function readHold(value: unknown): AccountHold {
  return {
    credential: readCredential(memberOf(value, "credential")),
    parked: readBlock(memberOf(value, "parked")),
    forbidden: readList(memberOf(value, "forbidden"), MAX_HOLD_ENTRIES.forbidden, (entry) => {
      const held = readHeld(entry, "modelClass");
      return held === null ? null : { modelClass: held.name as ModelClass, ...held.until };
    }),
    missing: readList(memberOf(value, "missing"), MAX_HOLD_ENTRIES.missing, (entry) => {
      const held = readHeld(entry, "model");
      return held === null ? null : { model: held.name, ...held.until };
    }),
  };
}

export function readCircuit(value: unknown): OriginCircuit | null {
  const failures = readCount(memberOf(value, "failures"));
  const openings = readCount(memberOf(value, "openings"));
  const failedAtMs = readInstant(memberOf(value, "failedAtMs"));
  const cause = readText(memberOf(value, "cause"));
  if (failures === null || openings === null || failedAtMs === null || cause === null) {
    return null;
  }
  const openUntilMs = readInstant(memberOf(value, "openUntilMs"));
  return { failures, openings, openUntilMs, leaseUntilMs: null, failedAtMs, cause: boundedCause(cause) };
}

function readBlock(value: unknown): Block | null {
  const untilMs = readInstant(memberOf(value, "untilMs"));
  const reason = memberOf(value, "reason");
  const cause = readText(memberOf(value, "cause"));
  return untilMs !== null && cause !== null && isReason(reason)
    ? { untilMs, reason, cause: boundedCause(cause) }
    : null;
}

function isReason(value: unknown): value is ReasonCode {
  return typeof value === "string" && Object.hasOwn(REASONS, value);
}

function readProbe(value: unknown): Probe | null {
  const failures = readCount(memberOf(value, "failures"));
  const untilMs = readInstant(memberOf(value, "untilMs"));
  const cause = readText(memberOf(value, "cause"));
  return failures === null || untilMs === null || cause === null
    ? null
    : { failures, untilMs, cause: boundedCause(cause), leaseUntilMs: null };
}

function readCredential(value: unknown): RefusedCredential | null {
  const reason = memberOf(value, "reason");
  const cause = readText(memberOf(value, "cause"));
  return cause !== null && (reason === "credential_dead" || reason === "needs_reauth")
    ? { reason, cause: boundedCause(cause) }
    : null;
}

type Held = { readonly name: string; readonly until: { readonly untilMs: EpochMs; readonly cause: string } };

function readHeld(value: unknown, nameField: "modelClass" | "model"): Held | null {
  const name = readText(memberOf(value, nameField));
  const untilMs = readInstant(memberOf(value, "untilMs"));
  const cause = readText(memberOf(value, "cause"));
  const isWhole =
    name !== null && untilMs !== null && cause !== null && name.length <= MAX_HOLD_ENTRIES.modelCharacters;
  return isWhole ? { name, until: { untilMs, cause: boundedCause(cause) } } : null;
}

function readWindow(value: unknown): LimitWindowFact | null {
  const name = readText(memberOf(value, "name"));
  if (name === null) {
    return null;
  }
  return {
    name,
    isPlan: memberOf(value, "isPlan") === true,
    limit: readAmount(memberOf(value, "limit")),
    remaining: readAmount(memberOf(value, "remaining")),
    usedRatio: readAmount(memberOf(value, "usedRatio")),
    status: readText(memberOf(value, "status")),
    resetAtMs: readInstant(memberOf(value, "resetAtMs")),
  };
}

function readInstant(value: unknown): EpochMs | null {
  const instant = readAmount(value);
  return instant !== null && instant <= MAX_INSTANT ? epochMs(instant) : null;
}

function readCount(value: unknown): number | null {
  const count = Number.isInteger(value) ? readAmount(value) : null;
  return count !== null && count <= MAX_COUNT ? count : null;
}

function readAmount(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
