import { clientKeyId } from "../../src/domain/access/client-key-id.ts";
import { type Account, accountId } from "../../src/domain/account/account.ts";
import { type LedgerBegin, type LedgerSettle, requestId } from "../../src/domain/ledger/record.ts";
import type { PoolEvent } from "../../src/domain/pool/pool-event.ts";
import { createBodyBudget } from "../../src/gateway/body-budget.ts";
import type { Answer } from "../../src/gateway/call.ts";
import { createPoolOwner } from "../../src/gateway/pool-owner.ts";
import type { Observer } from "../../src/gateway/ports.ts";
import { createQueue } from "../../src/gateway/queue.ts";
import type { Rooms } from "../../src/gateway/rooms.ts";
import { serve } from "../../src/gateway/serve.ts";
import { createStreamWatch } from "../../src/gateway/stream-watch.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { durationMs, epochMs } from "../../src/kernel/time.ts";
import { createManualClock, type ManualClock, turns } from "./manual-clock.ts";
import { type CallScript, createScriptedCall, type ScriptedCall } from "./scripted-call.ts";
import { type ClientView, viewOf } from "./scripted-client.ts";
import { createScriptedUpstream, type ScriptedUpstream } from "./scripted-upstream.ts";

export const CLIENT_KEY = "key-of-the-test";

export type Attempted = Parameters<Observer["attempted"]>[0];

/** The gateway's rooms on a manual clock, with a scripted world around them. */
export interface Stage {
  readonly rooms: Rooms;
  readonly clock: ManualClock;
  readonly upstream: ScriptedUpstream;
  readonly begun: readonly LedgerBegin[];
  readonly settled: readonly LedgerSettle[];
  readonly attempted: readonly Attempted[];
  /** The test may empty it. */
  readonly learned: PoolEvent[];
  /** What the observer was told, attempts apart. */
  readonly announced: readonly (PoolEvent | LedgerSettle)[];
  /** Accounts whose credential cannot be decrypted. */
  readonly unreadable: Set<string>;
  setAccounts(accounts: readonly Account[]): void;
  /** A request enters. */
  call(script?: CallScript): ScriptedCall;
  /** The request walks; the client reads what it gets. */
  serve(call: ScriptedCall): Promise<ClientView>;
  /** Until all work beside the requests is done. */
  background(): Promise<void>;
}

export type StageOptions = {
  readonly accounts?: readonly Account[];
  readonly overrides?: Partial<Rooms>;
  readonly queue?: { readonly maxWaitMs: number; readonly maxWaiting: number };
};

export function account(name: string, facts: Partial<Account> = {}): Account {
  return {
    id: accountId(`id-${name}`),
    name,
    provider: "anthropic",
    baseUrl: `https://${name}.example`,
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: null,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(0),
    models: [],
    ...facts,
  };
}

export function createStage({ accounts: first, overrides, queue }: StageOptions = {}): Stage {
  const clock = createManualClock();
  const upstream = createScriptedUpstream();
  const record = createRecord();
  const running = new Set<Promise<void>>();
  let accounts = first ?? [account("a"), account("b"), account("c")];
  let calls = 0;
  const unreadable = new Set<string>();
  const rooms: Rooms = {
    clock,
    random: () => 1,
    keys: {
      verify: (presented) =>
        presented === CLIENT_KEY ? { keyId: clientKeyId("k1"), keyName: "the key of the test" } : null,
    },
    accounts: {
      snapshot: () => accounts,
      credential: ({ name }) => (unreadable.has(name) ? null : new Secret(name, `secret of ${name}`)),
    },
    upstream,
    ...record.ports,
    pool: createPoolOwner((events) => record.learned.push(...events)),
    budget: createBodyBudget(1_000_000),
    queue: createQueue({
      clock,
      maxWaitMs: durationMs(queue?.maxWaitMs ?? 20_000),
      maxWaiting: queue?.maxWaiting ?? 2,
    }),
    streams: createStreamWatch(clock),
    deadlines: {
      connectMs: durationMs(10_000),
      streamHeadersMs: durationMs(60_000),
      headersMs: durationMs(600_000),
      idleMs: durationMs(120_000),
      totalMs: durationMs(600_000),
      streamTotalMs: durationMs(3_600_000),
    },
    retry: { attempts: 3, delayMs: durationMs(500), backoff: 2 },
    requestBodyLimitBytes: 500_000,
    pingAfterMs: durationMs(15_000),
    background(work) {
      running.add(work);
      void work.finally(() => running.delete(work));
    },
    ...overrides,
  };
  return {
    rooms,
    clock,
    upstream,
    ...record,
    unreadable,
    setAccounts(next) {
      accounts = next;
    },
    call(script = {}) {
      calls += 1;
      return createScriptedCall({ id: requestId(`request-${calls}`), key: CLIENT_KEY, nowMs: clock.now(), script });
    },
    async serve(call) {
      const answer: Answer | null = await serve(call, rooms);
      return viewOf(answer, call);
    },
    async background() {
      await Promise.all(running);
      await turns();
    },
  };
}

function createRecord() {
  const begun: LedgerBegin[] = [];
  const settled: LedgerSettle[] = [];
  const attempted: Attempted[] = [];
  const learned: PoolEvent[] = [];
  const announced: (PoolEvent | LedgerSettle)[] = [];
  return {
    begun,
    settled,
    attempted,
    learned,
    announced,
    ports: {
      ledger: {
        begin: (entry: LedgerBegin) => void begun.push(entry),
        settle: (entry: LedgerSettle) => void settled.push(entry),
      },
      observer: {
        attempted: (attempt: Attempted) => void attempted.push(attempt),
        learned: (events: readonly PoolEvent[]) => void announced.push(...events),
        settled: (_: LedgerBegin, entry: LedgerSettle) => void announced.push(entry),
      },
    },
  };
}
