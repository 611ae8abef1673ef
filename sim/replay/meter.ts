import type { Account, LimitGroup, ModelClass } from "../../src/domain/account/account.ts";
import { type MoveKind, moveKind } from "../../src/domain/affinity/move.ts";
import { costMicroUsd } from "../../src/domain/pricing/price.ts";
import type { Usage } from "../../src/domain/usage/usage.ts";
import { durationMs, type EpochMs } from "../../src/kernel/time.ts";
import { type Ideal, workOf } from "./ideal.ts";
import type { ReplayReport } from "./report.ts";
import type { ReplayRequest } from "./request.ts";
import type { Credential, Organization } from "./trace.ts";

/** Watches a run and counts. It knows the truth (organizations, the ideal), which the gateway does not. */
export interface Meter {
  sent(limitGroup: LimitGroup, modelClass: ModelClass, nowMs: EpochMs): void;
  /** A 429 arrived that named an instant. */
  limited(limitGroup: LimitGroup, modelClass: ModelClass, untilMs: EpochMs | null): void;
  spilled(): void;
  /** The answer began. */
  served(request: ReplayRequest, by: ServedBy): void;
  refused(nowMs: EpochMs): void;
  report(names: Pick<ReplayReport, "trace" | "strategy" | "seed" | "simulatedMs">): ReplayReport;
}

export type ServedBy = { readonly credential: Credential; readonly usage: Usage; readonly waitMs: number };

export function createMeter(ideal: Ideal): Meter {
  const benchedUntil = new Map<string, EpochMs>();
  const waits: number[] = [];
  const workByKey = new Map<string, number>();
  const thinking = createThinking();
  const moves = createMoves();
  const input = { read: 0, idealRead: 0, total: 0 };
  const counts = { sent: 0, limited: 0, refusals: 0, sentToBenched: 0, served: 0, spills: 0, costMicroUsd: 0 };
  const work = { served: 0, beforeRefusal: 0 };
  let firstRefusalAtMs: EpochMs | null = null;
  return {
    sent(limitGroup, modelClass, nowMs) {
      counts.sent += 1;
      if (nowMs < (benchedUntil.get(`${limitGroup} ${modelClass}`) ?? 0)) counts.sentToBenched += 1;
    },
    limited(limitGroup, modelClass, untilMs) {
      counts.limited += 1;
      const key = `${limitGroup} ${modelClass}`;
      if (untilMs !== null && untilMs > (benchedUntil.get(key) ?? 0)) benchedUntil.set(key, untilMs);
    },
    spilled() {
      counts.spills += 1;
    },
    served(request, { credential, usage, waitMs }) {
      const tokens = workOf(request, ideal.readTokens);
      const { clientKey, model } = request.session;
      work.served += tokens;
      if (firstRefusalAtMs === null) work.beforeRefusal += tokens;
      workByKey.set(clientKey, (workByKey.get(clientKey) ?? 0) + tokens);
      const idealRead = ideal.readTokens.get(request.id) ?? 0;
      input.total += request.promptTokens;
      input.read += usage.cacheReadTokens ?? 0;
      input.idealRead += idealRead;
      counts.served += 1;
      counts.costMicroUsd += costMicroUsd(usage, model) ?? 0;
      moves.served(request, credential.account);
      thinking.served(request, credential.organization);
      waits.push(waitMs);
    },
    refused(nowMs) {
      counts.refusals += 1;
      firstRefusalAtMs ??= nowMs;
    },
    report: (names) => ({
      ...names,
      requests: counts.served,
      firstRefusalAtMs,
      tokensBeforeRefusal: work.beforeRefusal,
      tokensServed: work.served,
      refusals: counts.refusals,
      ...waitsOf(waits),
      cacheReadRatio: input.total === 0 ? 0 : input.read / input.total,
      cacheKeptRatio: input.idealRead === 0 ? 1 : input.read / input.idealRead,
      costMicroUsd: counts.costMicroUsd,
      moves: moves.counts,
      spills: counts.spills,
      thinkingLost: thinking.lost(),
      fairness: jainIndex([...ideal.workByKey].map(([key, wanted]) => (workByKey.get(key) ?? 0) / wanted)),
      upstreamRequests: counts.sent,
      limited: counts.limited,
      sentToBenched: counts.sentToBenched,
    }),
  };
}

function createMoves() {
  const counts: Record<MoveKind, number> = {
    same_cache: 0,
    same_organization: 0,
    other_organization: 0,
    other_platform: 0,
  };
  const lastBy = new Map<string, Account>();
  return {
    counts,
    served({ session }: ReplayRequest, account: Account) {
      const before = lastBy.get(session.id);
      if (before !== undefined && before.id !== account.id) counts[moveKind(before, account)] += 1;
      lastBy.set(session.id, account);
    },
  };
}

/** Every turn makes one block. What another organization made is dropped, without an error (protocol.md, P22). */
function createThinking() {
  const made = new Map<string, { organizationId: string; blocks: number }>();
  let lost = 0;
  return {
    lost: () => lost,
    served({ session }: ReplayRequest, organization: Organization) {
      const known = made.get(session.id);
      if (known !== undefined && known.organizationId === organization.id) {
        known.blocks += 1;
        return;
      }
      lost += known?.blocks ?? 0;
      made.set(session.id, { organizationId: organization.id, blocks: 1 });
    },
  };
}

function waitsOf(waits: number[]): Pick<ReplayReport, "waitP50Ms" | "waitP99Ms"> {
  const sorted = Float64Array.from(waits).sort();
  const at = (ratio: number) => durationMs(Math.round(sorted[Math.floor(ratio * (sorted.length - 1))] ?? 0));
  return { waitP50Ms: at(0.5), waitP99Ms: at(0.99) };
}

export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
