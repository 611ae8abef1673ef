import type { EpochMs } from "../../kernel/time.ts";
import type { LatencyBook } from "../pool/latency-book.ts";
import { limitsOf } from "../pool/limit-windows.ts";
import { type Availability, availability } from "../pool/pool-state.ts";
import type { Demand, ReservationBook } from "../pool/reservation-book.ts";
import type { LimitWindowFact } from "../ratelimit/limit-facts.ts";
import { windowLengthMs } from "../ratelimit/pace.ts";
import type { Question } from "./choice.ts";
import type { Entry } from "./roster.ts";

/** ready, soft (the provider warns), slow (late first tokens), probe (would test a limit), full (no room now). */
export type Rank = "ready" | "soft" | "slow" | "probe" | "full";

/** What a strategy sees of an account that may serve this request. */
export type Standing = {
  readonly usable: true;
  readonly entry: Entry;
  readonly rank: Rank;
  /** 0..1 of the tightest window, requests under way counted. */
  readonly usedRatio: number;
  /** Requests under way in its limit group and model class. */
  readonly inFlight: number;
  /** Recent starts, decayed, per unit of weight. */
  readonly startedShare: number;
  /** Recent starts of its limit group in this class, decayed. */
  readonly groupShare: number;
  /**
   * What is left of the tightest plan window, over what is left of its time: above 1, some of it will go to waste.
   * Without plan windows what is left of the tightest limit.
   */
  readonly surplus: number;
  /** Sequence number; 0 when it never started. */
  readonly lastStart: number;
  /** The next reset of a plan's window with something left in it; null when none is known. */
  readonly planResetAtMs: EpochMs | null;
  /** Not null exactly when `rank` is full. */
  readonly fullUntilMs: EpochMs | null;
  /** The tightest window, or "ramp". */
  readonly cause: string | null;
};

export type Unusable = Extract<Availability, { usable: false }>;

/** A request, and what is needed to look at an account for it. */
export type View = {
  readonly question: Question;
  readonly books: { readonly reservations: ReservationBook; readonly latency: LatencyBook };
  /** The prompt cache that knows this conversation, and what the request takes there; null when there is none. */
  readonly warm: { readonly cache: string; readonly demand: Demand } | null;
};

/** A share of the window: what ends at once is not worth everything. */
const LEAST_TIME_LEFT = 0.01;

/** How an account stands for this request, now. */
// hot path: about a microsecond, once or twice for a request
export function look(view: View, entry: Entry): Standing | Unusable {
  const { question, books } = view;
  const { pool, model, modelClass, nowMs } = question;
  const found = availability(pool, entry.account, model, modelClass, nowMs);
  if (!found.usable) {
    return found;
  }
  const on = { limitGroup: entry.limitGroup, accountId: entry.account.id, modelClass };
  const limits = limitsOf(pool, entry.limitGroup, modelClass);
  const room = books.reservations.headroom(on, limits, { demand: demandAt(view, entry), nowMs });
  const isFull = room.fullUntilMs !== null && room.fullUntilMs > nowMs;
  return {
    usable: true,
    entry,
    rank: rankOf(found.rank, isFull, found.rank !== "probe" && books.latency.isSlow(on, nowMs)),
    usedRatio: room.usedRatio,
    inFlight: books.reservations.inFlight(entry.limitGroup, modelClass),
    startedShare: books.reservations.startedShare(entry.account.id, nowMs) / Math.max(1, entry.account.weight),
    groupShare: books.reservations.startedShareOf(on, nowMs),
    surplus: limits === null ? 1 - room.usedRatio : surplusOf(limits.windows, room.usedRatio, nowMs),
    lastStart: books.reservations.lastStart(entry.account.id),
    planResetAtMs: limits === null ? null : nextPlanReset(limits.windows, nowMs),
    fullUntilMs: isFull && found.rank !== "probe" ? room.fullUntilMs : null,
    cause: room.cause,
  };
}

/** What the request takes from an account's limits: a cached prefix does not count (protocol P27). */
export function demandAt({ question, warm }: View, entry: Entry): Demand {
  return warm !== null && warm.cache === entry.cache ? warm.demand : question.demand;
}

function rankOf(rank: "ready" | "soft" | "probe", isFull: boolean, isSlow: boolean): Rank {
  if (rank === "probe") {
    return "probe";
  }
  if (isFull) {
    return "full";
  }
  return isSlow ? "slow" : rank;
}

function surplusOf(windows: readonly LimitWindowFact[], usedRatio: number, nowMs: EpochMs): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { isPlan, name, usedRatio: used, resetAtMs } of windows) {
    const lengthMs = isPlan ? windowLengthMs(name) : null;
    if (lengthMs === null || used === null || resetAtMs === null) continue;
    const timeLeft = Math.max(LEAST_TIME_LEFT, (resetAtMs - nowMs) / lengthMs);
    least = Math.min(least, resetAtMs <= nowMs ? 1 : Math.max(0, 1 - used) / timeLeft);
  }
  return least === Number.POSITIVE_INFINITY ? 1 - usedRatio : least;
}

function nextPlanReset(windows: readonly LimitWindowFact[], nowMs: EpochMs): EpochMs | null {
  let next: EpochMs | null = null;
  for (const { isPlan, resetAtMs, usedRatio, remaining } of windows) {
    const isLeft = (usedRatio === null || usedRatio < 1) && (remaining === null || remaining > 0);
    if (isPlan && isLeft && resetAtMs !== null && resetAtMs > nowMs && (next === null || resetAtMs < next)) {
      next = resetAtMs;
    }
  }
  return next;
}
