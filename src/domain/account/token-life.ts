import { after, type DurationMs, durationMs, type EpochMs } from "../../kernel/time.ts";

export type TokenLife = { readonly issuedAtMs: EpochMs; readonly expiresAtMs: EpochMs | null };

/** security.md D5: at 80 % of the life or 5 min before its end, whichever comes first; the share can be configured. */
const LEAD_MS = 300_000;
/** A short life is not renewed before its half: an endpoint that gives a minute is not asked every second. */
const EARLIEST_SHARE = 0.5;
/** Of the lead, both ways: accounts that were added together are not renewed together. */
const JITTER = 0.1;

/** Null for a life without an end: upstream's 401 says when it is over. `random` is 0..1. */
export function renewalDueAt({ issuedAtMs, expiresAtMs }: TokenLife, atShare: number, random: number): EpochMs | null {
  if (expiresAtMs === null) return null;
  const lifeMs = Math.max(0, expiresAtMs - issuedAtMs);
  const atMs = Math.max(lifeMs * EARLIEST_SHARE, Math.min(lifeMs * atShare, lifeMs - LEAD_MS));
  const jitterMs = (lifeMs - atMs) * JITTER * (2 * random - 1);
  return after(issuedAtMs, durationMs(Math.round(Math.max(0, atMs + jitterMs))));
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const QUICK_TRIES = 5;
/** After five tries, and after a refusal that only the operator can mend: at most twice in ten minutes. */
const SLOW_PAUSE_MS = 300_000;

/** Full jitter from 1 s up to 1..60 s; from the fifth failure on, or when `isRefused`, about five minutes. */
export function renewalPause(failures: number, isRefused: boolean, random: number): DurationMs {
  if (isRefused || failures >= QUICK_TRIES) return durationMs(Math.round(SLOW_PAUSE_MS * (1 + JITTER * random)));
  const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 4 ** (failures - 1));
  return durationMs(Math.round(FIRST_PAUSE_MS + random * ceilingMs));
}
