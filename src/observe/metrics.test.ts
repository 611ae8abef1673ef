import { describe, expect, test } from "bun:test";
import { accountId } from "../domain/account/account.ts";
import type { Move } from "../domain/selection/choice.ts";
import { durationMs } from "../kernel/time.ts";
import type { AttemptFacts, MetricSources, SettledFacts } from "./metrics.ts";
import { createMetrics } from "./metrics.ts";

const SOURCES: MetricSources = {
  inFlightRequests: () => 7,
  openStreams: () => 3,
  waitingRequests: () => 2,
  bodyBytesInUse: () => 1024,
  bodyBytesLimit: () => 4096,
  accountsByState: () => ({ ready: 2, limited: 1, paused: 0, needs_reauth: 0, dead: 1 }),
  ledgerLag: () => ({ pendingEntries: 5, oldestPendingMs: durationMs(1500), droppedEntries: 4 }),
  droppedLogLines: () => 6,
  refusedRetries: () => 8,
  knownHomes: () => 9,
  auditSinks: () => [{ name: "file", lagMs: 1500, isBlocked: true }],
};

const SETTLED: SettledFacts = {
  outcome: "completed",
  status: 200,
  firstByteMs: durationMs(120),
  usage: null,
  thinkingDropped: null,
};

const ATTEMPT: AttemptFacts = { reason: "served", status: 200, action: "relay", why: "home", move: null };
const MOVE: Move = {
  from: accountId("a1"),
  kind: "other_organization",
  priceMicroUsd: 1,
  homeReturnsAtMs: null,
  setsHome: true,
};

const USAGE = {
  inputTokens: 10,
  cacheWrite5mTokens: 20,
  cacheWrite1hTokens: null,
  cacheReadTokens: 40,
  outputTokens: 50,
  webSearchRequests: null,
  webFetchRequests: null,
  serviceTier: "standard",
  isPartial: false,
};

async function linesOf(metrics: { render(): Promise<string> }): Promise<readonly string[]> {
  return (await metrics.render()).split("\n").filter((line) => line.startsWith("better_ccflare_"));
}

describe("counters", () => {
  test("count requests by outcome and status class, and keep their value when read twice", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.settled(SETTLED);
    metrics.settled(SETTLED);
    metrics.settled({ ...SETTLED, outcome: "upstream_error", status: 529 });
    metrics.settled({ ...SETTLED, outcome: "client_gone", status: null });
    await metrics.render();
    const lines = await linesOf(metrics);
    expect(lines).toContain('better_ccflare_requests_total{outcome="completed",status="2xx"} 2');
    expect(lines).toContain('better_ccflare_requests_total{outcome="upstream_error",status="5xx"} 1');
    expect(lines).toContain('better_ccflare_requests_total{outcome="client_gone",status="none"} 1');
  });

  test("count attempts by action, and failures by reason", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.attempted(ATTEMPT);
    metrics.attempted({ ...ATTEMPT, reason: "rate_limited", status: 429, action: "next" });
    metrics.attempted({ ...ATTEMPT, reason: "connect_failed", status: null, action: "retry_same" });
    const lines = await linesOf(metrics);
    expect(lines).toContain('better_ccflare_attempts_total{action="relay",status="2xx"} 1');
    expect(lines).toContain('better_ccflare_upstream_failures_total{reason="rate_limited"} 1');
    expect(lines).toContain('better_ccflare_upstream_failures_total{reason="connect_failed"} 1');
    expect(lines.join("\n")).not.toContain('reason="served"');
  });

  test("count tokens by kind, and nothing where the provider said nothing", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.settled({ ...SETTLED, usage: USAGE });
    metrics.settled({ ...SETTLED, usage: USAGE });
    const lines = await linesOf(metrics);
    expect(lines.filter((line) => line.startsWith("better_ccflare_tokens_total"))).toEqual([
      'better_ccflare_tokens_total{kind="input"} 20',
      'better_ccflare_tokens_total{kind="cache_write_5m"} 40',
      'better_ccflare_tokens_total{kind="cache_read"} 80',
      'better_ccflare_tokens_total{kind="output"} 100',
    ]);
  });

  test("count why an account was chosen, and moves and spills by what they lose", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.attempted(ATTEMPT);
    metrics.attempted({ ...ATTEMPT, why: "home_moved", move: MOVE });
    metrics.attempted({ ...ATTEMPT, why: "spill", move: { ...MOVE, kind: "same_cache", setsHome: false } });
    const lines = await linesOf(metrics);
    expect(lines).toContain('better_ccflare_decisions_total{why="home"} 1');
    expect(lines).toContain('better_ccflare_decisions_total{why="spill"} 1');
    expect(lines).toContain('better_ccflare_moves_total{kind="other_organization",home="moved"} 1');
    expect(lines).toContain('better_ccflare_moves_total{kind="same_cache",home="spill"} 1');
  });

  test("count thinking blocks that upstream dropped", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.settled({ ...SETTLED, thinkingDropped: 3 });
    metrics.settled({ ...SETTLED, thinkingDropped: 2 });
    metrics.settled(SETTLED);
    expect(await linesOf(metrics)).toContain("better_ccflare_thinking_blocks_dropped_total 5");
  });

  test("stop making labels at their bound", async () => {
    const metrics = createMetrics(SOURCES);
    for (let i = 0; i < 1_000; i += 1) metrics.attempted({ ...ATTEMPT, reason: `reason_${i}`, action: "next" });
    const failures = (await linesOf(metrics)).filter((line) =>
      line.startsWith("better_ccflare_upstream_failures_total"),
    );
    expect(failures).toHaveLength(256);
  });
});

describe("histograms", () => {
  test("hold first bytes, and waits of those that waited by the class of the request", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.settled(SETTLED);
    metrics.settled({ ...SETTLED, firstByteMs: null });
    metrics.waited("main", durationMs(700));
    metrics.waited("auxiliary", durationMs(1_500));
    const lines = await linesOf(metrics);
    expect(lines).toContain("better_ccflare_first_byte_seconds_count 1");
    expect(lines).toContain('better_ccflare_first_byte_seconds_bucket{le="0.25"} 1');
    expect(lines).toContain('better_ccflare_queue_wait_seconds_count{class="main"} 1');
    expect(lines).toContain('better_ccflare_queue_wait_seconds_sum{class="main"} 0.7');
    expect(lines).toContain('better_ccflare_queue_wait_seconds_bucket{le="1",class="auxiliary"} 0');
    expect(lines).toContain('better_ccflare_queue_wait_seconds_bucket{le="2.5",class="auxiliary"} 1');
  });
});

describe("gauges", () => {
  test.each([
    "better_ccflare_requests_in_flight 7",
    "better_ccflare_streams_open 3",
    "better_ccflare_queue_waiting 2",
    "better_ccflare_body_bytes_in_use 1024",
    "better_ccflare_body_bytes_limit 4096",
    "better_ccflare_ledger_pending_entries 5",
    "better_ccflare_ledger_lag_seconds 1.5",
    "better_ccflare_ledger_dropped_total 4",
    "better_ccflare_log_dropped_total 6",
    "better_ccflare_retries_refused_total 8",
    "better_ccflare_conversation_homes 9",
    'better_ccflare_accounts{state="limited"} 1',
    'better_ccflare_accounts{state="paused"} 0',
  ])("tell %s", async (line) => {
    expect(await linesOf(createMetrics(SOURCES))).toContain(line);
  });
});

test("the process tells of itself, and two registries do not meet", async () => {
  const [first, second] = [createMetrics(SOURCES), createMetrics(SOURCES)];
  first.settled(SETTLED);
  expect(await first.render()).toContain("process_resident_memory_bytes");
  expect(await second.render()).not.toContain('outcome="completed"');
  expect(first.contentType).toStartWith("text/plain");
});
