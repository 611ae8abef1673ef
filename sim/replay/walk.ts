import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import type { Account, AccountId } from "../../src/domain/account/account.ts";
import { conversationOf } from "../../src/domain/affinity/conversation.ts";
import type { RetryBudget } from "../../src/domain/failover/retry-budget.ts";
import { expectedDemand } from "../../src/domain/pool/expected-demand.ts";
import type { PoolState } from "../../src/domain/pool/pool-state.ts";
import type { Question, SelectionRule } from "../../src/domain/selection/choice.ts";
import type { Selector } from "../../src/domain/selection/selector.ts";
import { durationMs, type EpochMs } from "../../src/kernel/time.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { Reply } from "./client.ts";
import type { Meter } from "./meter.ts";
import type { Provider, Refused } from "./provider.ts";
import type { ReplayRequest } from "./request.ts";
import type { Credential } from "./trace.ts";
import type { Ticking, WaitingRoom } from "./waiting-room.ts";

export type GatewaySetup = {
  readonly agenda: Agenda;
  readonly provider: Provider;
  readonly meter: Meter;
  readonly credentials: readonly Credential[];
  readonly rule: SelectionRule;
  readonly chance: Chance;
};

/** What the requests of one gateway share. */
export type Inside = GatewaySetup & {
  readonly selector: Selector;
  readonly retryBudget: RetryBudget;
  readonly room: WaitingRoom;
  readonly accounts: readonly Account[];
  readonly credentialOf: ReadonlyMap<AccountId, Credential>;
  pool: PoolState;
};

/** One client request under way, as `Seeking` in src/gateway/seek.ts. */
export type Walk = {
  readonly inside: Inside;
  readonly request: ReplayRequest;
  readonly reply: (reply: Reply) => void;
  readonly arrivedAtMs: EpochMs;
  readonly conversation: Question["conversation"];
  readonly tried: Set<AccountId>;
  readonly place: Ticking;
  attempts: number;
  waitedMs: number;
  triedSameOrigin: number;
  again: Account | null;
  isPaid: boolean;
  rejected: Refused | null;
};

export function newWalk(inside: Inside, request: ReplayRequest, reply: Walk["reply"]): Walk {
  const { session, modelClass } = request;
  const keyId = clientKeyId(session.clientKey);
  const { conversationId: sessionId, requestClass } = session;
  const facts = { clientKeyId: keyId, modelClass, sessionId, userId: null, prefixHash: () => null };
  return {
    inside,
    request,
    reply,
    arrivedAtMs: inside.agenda.nowMs,
    conversation: conversationOf(facts)?.key ?? null,
    tried: new Set(),
    place: inside.room.enter({ lane: modelClass, requestClass, keyId }),
    attempts: 0,
    waitedMs: 0,
    triedSameOrigin: 0,
    again: null,
    isPaid: false,
    rejected: null,
  };
}

export function questionOf({ inside, request, tried, conversation, waitedMs }: Walk): Question {
  const { session, modelClass, promptTokens } = request;
  return {
    accounts: inside.accounts,
    pool: inside.pool,
    model: session.model,
    modelClass,
    nowMs: inside.agenda.nowMs,
    tried,
    conversation,
    isSubagent: session.requestClass === "subagent",
    demand: expectedDemand(promptTokens, session.maxTokens),
    waitedMs: durationMs(waitedMs),
  };
}

/** One budget for the retries of all requests. */
export function isExtraPaid(walk: Walk): boolean {
  const { inside } = walk;
  walk.isPaid ||= inside.retryBudget.take(inside.agenda.nowMs);
  return walk.isPaid;
}
