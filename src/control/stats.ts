import type { RequestOutcome } from "../domain/ledger/record.ts";
import { assertNever } from "../kernel/result.ts";
import { type DurationMs, type EpochMs, epochMs } from "../kernel/time.ts";
import type { ControlClock, RequestReader, RequestTally } from "./ports.ts";
import { accountNames, filterOf, type KeyReach, type Names } from "./requests.ts";

export type StatsLine = {
  readonly requests: number;
  readonly completed: number;
  /** upstream_error, truncated, refused, revoked or interrupted. */
  readonly failed: number;
  readonly clientGone: number;
  readonly inFlight: number;
  readonly inputTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly cacheReadTokens: number;
  readonly outputTokens: number;
};

export type Stats = {
  readonly sinceMs: EpochMs;
  readonly total: StatsLine;
  /** Busiest first. `account` null: refused before any account was tried. */
  readonly accounts: readonly (StatsLine & { readonly account: string | null })[];
  readonly models: readonly (StatsLine & { readonly model: string | null })[];
};

export type StatsService = {
  /** What happened in the last `span`. */
  over(span: DurationMs, reach: KeyReach): Promise<Stats>;
};

export function createStatsService(reader: RequestReader, names: Names, clock: ControlClock): StatsService {
  return {
    async over(span, reach) {
      const sinceMs = epochMs(Math.max(0, clock.now() - span));
      const tallies = await reader.stats(sinceMs, filterOf(reach));
      const accountName = accountNames(names.accounts());
      const accountOf = (tally: RequestTally) => (tally.accountId === null ? null : accountName(tally.accountId));
      return {
        sinceMs,
        total: tallies.reduce(addTally, EMPTY_LINE),
        accounts: grouped(tallies, accountOf).map(([account, line]) => ({ account, ...line })),
        models: grouped(tallies, ({ model }) => model).map(([model, line]) => ({ model, ...line })),
      };
    },
  };
}

const EMPTY_LINE: StatsLine = {
  requests: 0,
  completed: 0,
  failed: 0,
  clientGone: 0,
  inFlight: 0,
  inputTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  cacheReadTokens: 0,
  outputTokens: 0,
};

function grouped(
  tallies: readonly RequestTally[],
  keyOf: (tally: RequestTally) => string | null,
): readonly (readonly [string | null, StatsLine])[] {
  const lines = new Map<string | null, StatsLine>();
  for (const tally of tallies) {
    const key = keyOf(tally);
    lines.set(key, addTally(lines.get(key) ?? EMPTY_LINE, tally));
  }
  return [...lines].sort(([, left], [, right]) => right.requests - left.requests);
}

function addTally(line: StatsLine, tally: RequestTally): StatsLine {
  const column = columnOf(tally.outcome);
  return {
    ...line,
    requests: line.requests + tally.requestCount,
    inputTokens: line.inputTokens + tally.inputTokens,
    cacheWrite5mTokens: line.cacheWrite5mTokens + tally.cacheWrite5mTokens,
    cacheWrite1hTokens: line.cacheWrite1hTokens + tally.cacheWrite1hTokens,
    cacheReadTokens: line.cacheReadTokens + tally.cacheReadTokens,
    outputTokens: line.outputTokens + tally.outputTokens,
    [column]: line[column] + tally.requestCount,
  };
}

function columnOf(outcome: RequestOutcome): "completed" | "failed" | "clientGone" | "inFlight" {
  switch (outcome) {
    case "completed":
      return "completed";
    case "client_gone":
      return "clientGone";
    case "in_flight":
      return "inFlight";
    case "upstream_error":
    case "truncated":
    case "refused":
    case "revoked":
    case "interrupted":
      return "failed";
    default:
      return assertNever(outcome);
  }
}
