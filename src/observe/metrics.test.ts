import { describe, expect, test } from "bun:test";
import { durationMs } from "../kernel/time.ts";
import type { MetricSources, SettledFacts } from "./metrics.ts";
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
};

const SETTLED: SettledFacts = {
  outcome: "completed",
  status: 200,
  queueMs: durationMs(0),
  firstByteMs: durationMs(120),
  usage: null,
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
    metrics.attempted({ reason: "served", status: 200, action: "relay" });
    metrics.attempted({ reason: "rate_limited", status: 429, action: "next" });
    metrics.attempted({ reason: "connect_failed", status: null, action: "retry_same" });
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

  test("stop making labels at their bound", async () => {
    const metrics = createMetrics(SOURCES);
    for (let i = 0; i < 1_000; i += 1) metrics.attempted({ reason: `reason_${i}`, status: null, action: "next" });
    const failures = (await linesOf(metrics)).filter((line) =>
      line.startsWith("better_ccflare_upstream_failures_total"),
    );
    expect(failures).toHaveLength(256);
  });
});

describe("histograms", () => {
  test("hold first bytes, and waits of those that waited", async () => {
    const metrics = createMetrics(SOURCES);
    metrics.settled(SETTLED);
    metrics.settled({ ...SETTLED, queueMs: durationMs(700), firstByteMs: null });
    const lines = await linesOf(metrics);
    expect(lines).toContain("better_ccflare_first_byte_seconds_count 1");
    expect(lines).toContain('better_ccflare_first_byte_seconds_bucket{le="0.25"} 1');
    expect(lines).toContain("better_ccflare_queue_wait_seconds_count 1");
    expect(lines).toContain("better_ccflare_queue_wait_seconds_sum 0.7");
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
