import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { AccountState, LedgerLag } from "../control/ports.ts";
import type { RequestOutcome } from "../domain/ledger/record.ts";
import type { Move, Why } from "../domain/selection/choice.ts";
import type { Usage } from "../domain/usage/usage.ts";
import type { RequestClass } from "../gateway/request-class.ts";
import type { DurationMs } from "../kernel/time.ts";

/** Asked when somebody reads the metrics, never in between. Each answers at once, from memory. */
export type MetricSources = {
  readonly inFlightRequests: () => number;
  readonly openStreams: () => number;
  readonly waitingRequests: () => number;
  readonly bodyBytesInUse: () => number;
  readonly bodyBytesLimit: () => number;
  readonly accountsByState: () => Readonly<Record<AccountState, number>>;
  readonly ledgerLag: () => LedgerLag;
  readonly droppedLogLines: () => number;
  readonly refusedRetries: () => number;
  readonly knownHomes: () => number;
  readonly auditSinks: () => readonly { readonly name: string; readonly lagMs: number; readonly isBlocked: boolean }[];
};

export type SettledFacts = {
  readonly outcome: Exclude<RequestOutcome, "in_flight" | "interrupted">;
  readonly status: number | null;
  readonly firstByteMs: DurationMs | null;
  readonly usage: Usage | null;
  readonly thinkingDropped: number | null;
};

export type AttemptFacts = {
  /** A reason code of the pool: a closed set, so a safe label. */
  readonly reason: string;
  readonly status: number | null;
  readonly action: "relay" | "retry_same" | "next";
  readonly why: Why;
  readonly move: Move | null;
};

/** Counting costs additions and one map look-up each; text is made in `render` alone. */
export interface Metrics {
  settled(facts: SettledFacts): void;
  attempted(facts: AttemptFacts): void;
  /** Of one request, all its waits together. */
  waited(requestClass: RequestClass, waitedMs: DurationMs): void;
  /** The text format of Prometheus 0.0.4. */
  render(): Promise<string>;
  readonly contentType: string;
}

const PREFIX = "better_ccflare_";
const FIRST_BYTE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const QUEUE_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 20, 60];
// A reason that is not known yet must not become a door to endless labels.
const MAX_LABEL_SETS = 256;

const TOKEN_KINDS = [
  ["input", "inputTokens"],
  ["cache_write_5m", "cacheWrite5mTokens"],
  ["cache_write_1h", "cacheWrite1hTokens"],
  ["cache_read", "cacheReadTokens"],
  ["output", "outputTokens"],
] as const satisfies readonly (readonly [string, keyof Usage])[];

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { requests, attempts, failures, tokens, decisions, moves } = createTallies(registry);
  let thinkingDropped = 0;
  total(registry, {
    name: "thinking_blocks_dropped_total",
    help: "Thinking blocks that upstream reported as removed",
    read: () => thinkingDropped,
  });
  const registers = [registry];
  const queueWait = new Histogram({
    name: `${PREFIX}queue_wait_seconds`,
    help: "Wait for an account, of those that waited",
    labelNames: ["class"],
    buckets: QUEUE_SECONDS,
    registers,
  });
  const firstByte = new Histogram({
    name: `${PREFIX}first_byte_seconds`,
    help: "From accept to the first body byte",
    buckets: FIRST_BYTE_SECONDS,
    registers,
  });
  registerGauges(registry, sources);
  return {
    contentType: registry.contentType,
    // hot path
    settled({ outcome, status, firstByteMs, usage, thinkingDropped: dropped }) {
      requests.add(outcome, statusClass(status), 1);
      thinkingDropped += dropped ?? 0;
      if (firstByteMs !== null) firstByte.observe(firstByteMs / 1000);
      if (usage === null) return;
      for (const [kind, field] of TOKEN_KINDS) {
        const count = usage[field];
        if (count !== null && count > 0) tokens.add(kind, "", count);
      }
    },
    // hot path
    attempted({ reason, status, action, why, move }) {
      attempts.add(action, statusClass(status), 1);
      decisions.add(why, "", 1);
      if (action !== "relay") failures.add(reason, "", 1);
      if (move !== null) moves.add(move.kind, move.setsHome ? "moved" : "spill", 1);
    },
    waited: (requestClass, waitedMs) => queueWait.observe({ class: requestClass }, waitedMs / 1000),
    render: () => registry.metrics(),
  };
}

function createTallies(registry: Registry) {
  const requests = tally(registry, {
    name: "requests_total",
    help: "Client requests by how they ended",
    labels: ["outcome", "status"],
  });
  const attempts = tally(registry, {
    name: "attempts_total",
    help: "Requests sent upstream, by what followed",
    labels: ["action", "status"],
  });
  const failures = tally(registry, {
    name: "upstream_failures_total",
    help: "Attempts that gave no answer to relay",
    labels: ["reason"],
  });
  const tokens = tally(registry, {
    name: "tokens_total",
    help: "Tokens as the provider counted them",
    labels: ["kind"],
  });
  const decisions = tally(registry, {
    name: "decisions_total",
    help: "Requests sent upstream, by why that account was chosen",
    labels: ["why"],
  });
  const moves = tally(registry, {
    name: "moves_total",
    help: "Requests served away from the home of their conversation; a spill goes home again",
    labels: ["kind", "home"],
  });
  return { requests, attempts, failures, tokens, decisions, moves };
}

const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

function statusClass(status: number | null): string {
  return status === null ? "none" : (STATUS_CLASSES[Math.trunc(status / 100)] ?? "other");
}

type Tally = { add(first: string, second: string, count: number): void };
type TallyOptions = { readonly name: string; readonly help: string; readonly labels: readonly string[] };

/** A counter kept as plain numbers by one or two labels; prom-client sees it when it is read. */
function tally(registry: Registry, { name, help, labels }: TallyOptions): Tally {
  const counts = new Map<string, Map<string, number>>();
  let labelSets = 0;
  const counter = new Counter({
    name: PREFIX + name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      counter.reset();
      for (const [first, row] of counts) {
        for (const [second, count] of row) {
          const values = [first, second];
          counter.inc(Object.fromEntries(labels.map((label, at) => [label, values[at] ?? ""])), count);
        }
      }
    },
  });
  return {
    add(first, second, count) {
      const row = counts.get(first) ?? new Map<string, number>();
      const before = row.get(second);
      if (before === undefined) {
        if (labelSets >= MAX_LABEL_SETS) return;
        labelSets += 1;
        counts.set(first, row);
      }
      row.set(second, (before ?? 0) + count);
    },
  };
}

function registerGauges(registry: Registry, sources: MetricSources): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect: () => made.set(read()),
    });
  };
  gauge("requests_in_flight", "Client requests that are not settled", sources.inFlightRequests);
  gauge("streams_open", "Streamed answers that are being relayed", sources.openStreams);
  gauge("queue_waiting", "Requests that wait for an account", sources.waitingRequests);
  gauge("body_bytes_in_use", "Request body bytes held in memory", sources.bodyBytesInUse);
  gauge("body_bytes_limit", "Request body bytes that may be held", sources.bodyBytesLimit);
  gauge(
    "ledger_pending_entries",
    "Entries on disk that are not in the database",
    () => sources.ledgerLag().pendingEntries,
  );
  gauge(
    "ledger_lag_seconds",
    "Age of the oldest pending entry",
    () => (sources.ledgerLag().oldestPendingMs ?? 0) / 1000,
  );
  gauge("conversation_homes", "Conversations whose home is known", sources.knownHomes);
  total(registry, {
    name: "ledger_dropped_total",
    help: "Entries lost since the start",
    read: () => sources.ledgerLag().droppedEntries,
  });
  total(registry, { name: "log_dropped_total", help: "Log lines lost since the start", read: sources.droppedLogLines });
  total(registry, {
    name: "retries_refused_total",
    help: "Extra upstream requests that the retry budget refused",
    read: sources.refusedRetries,
  });
  bySink(registry, sources, {
    name: "audit_sink_lag_seconds",
    help: "Age of the oldest audit entry that a sink does not have",
    value: ({ lagMs }) => lagMs / 1000,
  });
  bySink(registry, sources, {
    name: "audit_sink_blocked",
    help: "1 while a sink of the audit log is so far behind that changes are refused, if so configured",
    value: ({ isBlocked }) => (isBlocked ? 1 : 0),
  });
  const accounts: Gauge<"state"> = new Gauge({
    name: `${PREFIX}accounts`,
    help: "Accounts by state",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(sources.accountsByState())) accounts.set({ state }, count);
    },
  });
}

type SinkGauge = {
  readonly name: string;
  readonly help: string;
  readonly value: (sink: ReturnType<MetricSources["auditSinks"]>[number]) => number;
};

function bySink(registry: Registry, { auditSinks }: MetricSources, { name, help, value }: SinkGauge): void {
  const made: Gauge<"sink"> = new Gauge({
    name: `${PREFIX}${name}`,
    help,
    labelNames: ["sink"],
    registers: [registry],
    collect() {
      for (const sink of auditSinks()) made.set({ sink: sink.name }, value(sink));
    },
  });
}

type TotalOptions = { readonly name: string; readonly help: string; readonly read: () => number };

/** A count that somebody else keeps; it is asked when it is read. */
function total(registry: Registry, { name, help, read }: TotalOptions): void {
  const made: Counter = new Counter({
    name: PREFIX + name,
    help,
    registers: [registry],
    collect() {
      made.reset();
      made.inc(read());
    },
  });
}
