import type { EpochMs } from "../kernel/time.ts";
import { SYSTEM } from "./acting.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import type { ControlClock } from "./ports.ts";

const MINUTE_MS = 60_000;
/** From here on what fails within one minute is added up: a flood must not fill the disk. */
const MAX_SINGLE = 100;

/** Failed authentications for the audit log: one entry each, and sums of what is beyond 100 in a minute. */
export type FailureNotes = {
  /** Rejects when the audit log cannot be written. */
  failed(draft: AuditDraft): Promise<void>;
  /** Notes the sums; once a minute, and before the gateway stops. */
  flush(): Promise<void>;
};

type Sum = {
  readonly code: AuditDraft["code"];
  readonly reason: string;
  count: number;
  firstAtMs: EpochMs;
  lastAtMs: EpochMs;
};

export function createFailureNotes(changes: AuditedChanges, clock: ControlClock): FailureNotes {
  let windowStartMs = 0;
  let singles = 0;
  let sums = new Map<string, Sum>();

  // Codes and reasons are our own words, a few dozen: neither is what somebody sent.
  const add = ({ code, reason = "refused" }: AuditDraft, nowMs: EpochMs): void => {
    const key = `${code} ${reason}`;
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { code, reason, count: 1, firstAtMs: nowMs, lastAtMs: nowMs });
      return;
    }
    sum.count += 1;
    sum.lastAtMs = nowMs;
  };

  return {
    async failed(draft) {
      const nowMs = clock.now();
      // A clock that went back begins a new minute as well.
      if (Math.abs(nowMs - windowStartMs) >= MINUTE_MS) {
        windowStartMs = nowMs;
        singles = 0;
      }
      singles += 1;
      if (singles > MAX_SINGLE) add(draft, nowMs);
      else await changes.note(draft);
    },
    async flush() {
      const taken = [...sums.values()];
      sums = new Map();
      for (const { code, reason, count, firstAtMs, lastAtMs } of taken) {
        await changes.note({ code, actor: SYSTEM, object: ALL, reason, after: { count, firstAtMs, lastAtMs } });
      }
    },
  };
}

const ALL: AuditDraft["object"] = { type: "user", id: "all", name: null };
