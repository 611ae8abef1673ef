import type { EpochMs } from "../../kernel/time.ts";

/** How many upstream requests may leave beyond one per client request, so that a storm upstream is not fed by us. */
export interface RetryBudget {
  /** One client request. */
  counted(nowMs: EpochMs): void;
  /** May one extra request leave? Counts it when it may. */
  take(nowMs: EpochMs): boolean;
  /** Extra requests that were refused, since the start. */
  readonly refused: number;
}

const MS_PER_SECOND = 1_000;
/** Failures come long after their requests, so that the share is reckoned over a minute. */
const SHARE_SECONDS = 60;
/** With little traffic a share of it would be no retry at all. */
const FLOOR_SECONDS = 10;
const FLOOR = 10;

type Tally = {
  /** One slot per second of the last minute. */
  readonly requests: Uint32Array;
  readonly extras: Uint32Array;
  /** The second that the newest slot stands for; never goes back. */
  second: number;
  requestSum: number;
  extraSum: number;
  /** Of the last ten seconds. */
  recentExtraSum: number;
};

/** `ratio`: extra requests per client request of the last minute, e.g. 0.1; ten in ten seconds may always leave. */
export function createRetryBudget(options: { readonly ratio: number }): RetryBudget {
  const tally: Tally = {
    requests: new Uint32Array(SHARE_SECONDS),
    extras: new Uint32Array(SHARE_SECONDS),
    second: 0,
    requestSum: 0,
    extraSum: 0,
    recentExtraSum: 0,
  };
  let refused = 0;
  return {
    counted: (nowMs) => {
      advance(tally, nowMs);
      add(tally.requests, tally.second);
      tally.requestSum++;
    },
    take: (nowMs) => {
      advance(tally, nowMs);
      const isAllowed = tally.recentExtraSum < FLOOR || tally.extraSum + 1 <= options.ratio * tally.requestSum;
      if (!isAllowed) {
        refused++;
        return false;
      }
      add(tally.extras, tally.second);
      tally.extraSum++;
      tally.recentExtraSum++;
      return true;
    },
    get refused() {
      return refused;
    },
  };
}

/** Forgets what has left the windows. A clock that went back counts as standing still. */
function advance(tally: Tally, nowMs: EpochMs): void {
  const second = Math.floor(nowMs / MS_PER_SECOND);
  if (second - tally.second >= SHARE_SECONDS) {
    forgetAll(tally);
    tally.second = second;
  }
  while (tally.second < second) {
    tally.second++;
    const slot = tally.second % SHARE_SECONDS;
    tally.recentExtraSum -= tally.extras[(tally.second - FLOOR_SECONDS + SHARE_SECONDS) % SHARE_SECONDS] ?? 0;
    tally.requestSum -= tally.requests[slot] ?? 0;
    tally.extraSum -= tally.extras[slot] ?? 0;
    tally.requests[slot] = 0;
    tally.extras[slot] = 0;
  }
}

function forgetAll(tally: Tally): void {
  tally.requests.fill(0);
  tally.extras.fill(0);
  tally.requestSum = 0;
  tally.extraSum = 0;
  tally.recentExtraSum = 0;
}

function add(slots: Uint32Array, second: number): void {
  const slot = second % SHARE_SECONDS;
  slots[slot] = (slots[slot] ?? 0) + 1;
}
