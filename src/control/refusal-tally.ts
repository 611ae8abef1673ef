import type { EpochMs } from "../kernel/time.ts";
import { SYSTEM } from "./acting.ts";
import type { AuditDraft } from "./audit-port.ts";

/** More keys than this in one minute share one entry: a flood must not fill the disk. */
const MAX_KEYS = 64;

/** What the many share, and what is no key at all. */
export type RefusedKey = { readonly id: string; readonly name: string | null };

export type RefusalTally = {
  // hot path
  refused(key: RefusedKey, nowMs: EpochMs): void;
  /** One draft per key that was refused since the last call. */
  take(): readonly AuditDraft[];
};

type Count = { readonly key: RefusedKey; count: number; readonly firstAtMs: EpochMs; lastAtMs: EpochMs };

const OTHERS: RefusedKey = { id: "others", name: null };

/** Adds up refused client keys, so that the audit log gets a bounded number of entries whatever is sent. */
export function createRefusalTally(): RefusalTally {
  let counts = new Map<string, Count>();
  return {
    refused(key, nowMs) {
      const counted = counts.size < MAX_KEYS || counts.has(key.id) ? key : OTHERS;
      const count = counts.get(counted.id);
      if (count === undefined) {
        counts.set(counted.id, { key: counted, count: 1, firstAtMs: nowMs, lastAtMs: nowMs });
        return;
      }
      count.count += 1;
      count.lastAtMs = nowMs;
    },
    take() {
      const taken = counts;
      counts = new Map();
      return [...taken.values()].map(draftOf);
    },
  };
}

function draftOf({ key, count, firstAtMs, lastAtMs }: Count): AuditDraft {
  return {
    code: "KEY003E",
    actor: SYSTEM,
    object: { type: "client_key", ...key },
    after: { count, firstAtMs, lastAtMs },
  };
}
