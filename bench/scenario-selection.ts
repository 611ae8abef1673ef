import { type Account, accountId } from "../src/domain/account/account.ts";
import { modelClassOf } from "../src/domain/account/model-class.ts";
import type { ConversationKey } from "../src/domain/affinity/conversation.ts";
import { createHomeBook } from "../src/domain/affinity/home-book.ts";
import { createLatencyBook } from "../src/domain/pool/latency-book.ts";
import { subjectOf } from "../src/domain/pool/pool-event.ts";
import { applyPoolEvents, emptyPool, type PoolState } from "../src/domain/pool/pool-state.ts";
import { createReservationBook } from "../src/domain/pool/reservation-book.ts";
import { readLimitFacts } from "../src/domain/ratelimit/limit-headers.ts";
import type { Question, SelectionRule, TicketEnd } from "../src/domain/selection/choice.ts";
import { createSelector, type Selector } from "../src/domain/selection/selector.ts";
import { STRATEGIES, type StrategyName } from "../src/domain/selection/strategy-name.ts";
import { durationMs, epochMs } from "../src/kernel/time.ts";
import { median } from "./percentile.ts";
import { seededRandom } from "./random.ts";
import type { Bench } from "./rig.ts";
import { type Row, row } from "./row.ts";

const MODEL = "claude-opus-4-5";
const CLASS = modelClassOf(MODEL);
const START_MS = Date.parse("2026-11-23T20:00:00Z");
/** One request in ten begins a conversation. */
const NEW_RATIO = 0.1;
/** Virtual: lists of accounts are made anew as time goes by. */
const REQUESTS_PER_MS = 1;
const WARM_UP = 60_000;
const BATCH = 5_000;
const BATCHES_PER_ROUND = 2;
const MAX_US = 15;

const SERVED: TicketEnd = {
  kind: "served",
  firstTokenMs: durationMs(900),
  usage: {
    inputTokens: 10,
    cacheWrite5mTokens: 500,
    cacheWrite1hTokens: 0,
    cacheReadTokens: 60_000,
    outputTokens: 200,
    webSearchRequests: null,
    webFetchRequests: null,
    serviceTier: null,
    isPartial: false,
  },
};

/** CPU of choosing an account, starting and settling, in this process: no sockets. */
export async function selectionScenario({ options, say }: Bench): Promise<readonly Row[]> {
  const { manyAccounts, manyKeys: manyHomes, rounds } = options;
  const accounts = Array.from({ length: manyAccounts }, (_, at) => accountOf(at));
  const pool = poolOf(accounts);
  const rows: Row[] = [];
  for (const strategy of STRATEGIES) {
    const request = createLoad({ accounts, pool, strategy, manyHomes });
    run(request, WARM_UP);
    const costs = Array.from({ length: rounds * BATCHES_PER_ROUND }, () => run(request, BATCH));
    say(`  ${strategy}: ${costs.map((cost) => cost.toFixed(1)).join(" ")} us`);
    rows.push(
      row({
        name: `selection per request, ${strategy}`,
        unit: "us",
        gateway: median(costs),
        limit: { kind: "valueAtMost", value: MAX_US },
        note: `${manyAccounts} accounts, ${manyHomes} homes; least ${Math.min(...costs).toFixed(1)} us`,
      }),
    );
    // Sockets of other scenarios, and the person who presses Ctrl-C, get their turn.
    await Bun.sleep(0);
  }
  return rows;
}

/** @returns CPU microseconds of one request, garbage collection included */
function run(request: () => void, requests: number): number {
  const before = process.cpuUsage();
  for (let at = 0; at < requests; at += 1) request();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requests;
}

type Load = {
  readonly accounts: readonly Account[];
  readonly pool: PoolState;
  readonly strategy: StrategyName;
  readonly manyHomes: number;
};

function createLoad({ accounts, pool, strategy, manyHomes }: Load): () => void {
  const homes = createHomeBook({ maxHomes: manyHomes, homeMs: durationMs(18_000_000) });
  const random = seededRandom(1);
  for (let at = 0; at < manyHomes; at += 1) {
    const account = accounts[at % accounts.length];
    if (account === undefined) continue;
    const lives = { accountId: account.id, lastUsedMs: epochMs(START_MS), prefixTokens: 60_000 };
    homes.set(conversation("old", at), { ...lives, cacheMs: durationMs(3_600_000) });
  }
  const selector = createSelector({ homes, reservations: createReservationBook(), latency: createLatencyBook() });
  const rule: SelectionRule = {
    strategy,
    waitPriceUsdPerHour: 60,
    crossOrganization: "allow",
    maxWaitMs: durationMs(30_000),
  };
  const tried: Question["tried"] = new Set();
  let count = 0;
  return () => {
    count += 1;
    const isNew = random() < NEW_RATIO;
    const question: Question = {
      accounts,
      pool,
      model: MODEL,
      modelClass: CLASS,
      nowMs: epochMs(START_MS + Math.floor(count / REQUESTS_PER_MS)),
      tried,
      conversation: isNew ? conversation("new", count) : conversation("old", Math.floor(random() * manyHomes)),
      isSubagent: false,
      demand: { inputTokens: 61_000, outputTokens: 1_000 },
      waitedMs: durationMs(0),
    };
    serve(selector, question, rule);
  };
}

function serve(selector: Selector, question: Question, rule: SelectionRule): void {
  const choice = selector.choose(question, rule);
  if (choice.kind !== "use") throw new Error(`Cannot measure: the choice is ${choice.kind}`);
  selector.settle(selector.start(question, choice), SERVED, question.nowMs);
}

function conversation(kind: string, at: number): ConversationKey {
  return `0198c0de-0000-7000-8000-000000000000/opus/s:${kind}-${at}` as ConversationKey;
}

function accountOf(at: number): Account {
  return {
    id: accountId(`0198c0de-0000-7000-8000-${String(at).padStart(12, "0")}`),
    name: `account-${at}`,
    provider: "anthropic",
    baseUrl: "https://api.anthropic.com",
    credentialKind: "api_key",
    priority: at % 2 === 0 ? 100 : 200,
    weight: 1 + (at % 5),
    organization: `organization-${Math.floor(at / 2)}`,
    workspace: null,
    isPaused: false,
    createdAtMs: epochMs(START_MS),
    models: [],
  };
}

/** Every group has answered: three windows each, with room for the whole load. */
function poolOf(accounts: readonly Account[]): PoolState {
  const reset = new Date(START_MS + 60_000).toISOString();
  return applyPoolEvents(
    emptyPool,
    accounts.map((account, at) => ({
      type: "served",
      on: subjectOf(account, MODEL, CLASS),
      limits: readLimitFacts(
        ["requests", "input-tokens", "output-tokens"].flatMap((name) => [
          [`anthropic-ratelimit-${name}-limit`, "1000000000"] as const,
          [`anthropic-ratelimit-${name}-remaining`, String(600_000_000 + at * 100_000)] as const,
          [`anthropic-ratelimit-${name}-reset`, reset] as const,
        ]),
        epochMs(START_MS),
      ),
      atMs: epochMs(START_MS),
    })),
  );
}
