import type { EpochMs } from "../kernel/time.ts";
import type { AuditDraft } from "./audit-port.ts";

/** More than so many different ones in one minute share one entry: a flood must not fill the disk. */
const MAX_ROWS = 64;

/** What the door of the admin API, or of the whole listener, did not let pass. */
export type RefusedRequest = {
  /** The stable code of the answer. */
  readonly reason: string;
  /** "GET /api/accounts"; null when it did not come so far. */
  readonly route: string | null;
  readonly ip: string | null;
  /** The user's id, when the refusal was not about who it is. */
  readonly who: string | null;
};

export type DoorTally = {
  refused(request: RefusedRequest, nowMs: EpochMs): void;
  /** One draft for each kind of refusal since the last call. */
  take(): readonly AuditDraft[];
};

type Count = { readonly request: RefusedRequest; count: number; readonly firstAtMs: EpochMs; lastAtMs: EpochMs };

const OTHERS: RefusedRequest = { reason: "others", route: null, ip: null, who: null };

/** Adds up what was refused before anybody was known, so that the audit log gets a bounded number of entries. */
export function createDoorTally(): DoorTally {
  let counts = new Map<string, Count>();
  return {
    refused(request, nowMs) {
      const own = keyOf(request);
      const counted = counts.size < MAX_ROWS || counts.has(own) ? request : OTHERS;
      const key = keyOf(counted);
      const count = counts.get(key);
      if (count === undefined) {
        counts.set(key, { request: counted, count: 1, firstAtMs: nowMs, lastAtMs: nowMs });
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

function keyOf({ reason, route, ip, who }: RefusedRequest): string {
  return JSON.stringify([reason, route, ip, who]);
}

function draftOf({ request, count, firstAtMs, lastAtMs }: Count): AuditDraft {
  return {
    code: request.reason === "credential_in_query" ? "DOR002E" : "DOR001E",
    actor: { type: "user", id: request.who ?? "anonymous", ip: request.ip },
    object: { type: "route", id: request.route ?? "any", name: null },
    reason: request.reason,
    after: { count, firstAtMs, lastAtMs },
  };
}
