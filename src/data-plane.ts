import { createInProcessCoordination } from "./cluster/in-process.ts";
import type { Config } from "./config/config.ts";
import type { ClientKeyId } from "./domain/access/client-key-id.ts";
import { createHomeBook } from "./domain/affinity/home-book.ts";
import { createRetryBudget } from "./domain/failover/retry-budget.ts";
import { createLatencyBook } from "./domain/pool/latency-book.ts";
import type { PoolEvent } from "./domain/pool/pool-event.ts";
import { accountState } from "./domain/pool/pool-state.ts";
import { createReservationBook } from "./domain/pool/reservation-book.ts";
import type { SelectionRule } from "./domain/selection/choice.ts";
import { createSelector } from "./domain/selection/selector.ts";
import { createBodyBudget } from "./gateway/body-budget.ts";
import type { Answer, Call } from "./gateway/call.ts";
import { createFailedKeys } from "./gateway/failed-keys.ts";
import { createKeyMeters } from "./gateway/key-meters.ts";
import { createPoolOwner, type PoolOwner } from "./gateway/pool-owner.ts";
import type { Accounts, ClientKeys, Clock, Upstream } from "./gateway/ports.ts";
import { createPresences } from "./gateway/presences.ts";
import { createQueue } from "./gateway/queue.ts";
import { refusalAnswer } from "./gateway/refusal.ts";
import type { Passthrough, Rooms } from "./gateway/rooms.ts";
import { serve } from "./gateway/serve.ts";
import { createStreamWatch } from "./gateway/stream-watch.ts";
import type { AdminDoor } from "./http/admin/admin-door.ts";
import { type DataListener, type DataListenerOptions, listenData } from "./http/data-listener.ts";
import type { TlsDoor } from "./http/http1/handshakes.ts";
import { ledgerLagOf } from "./inspector.ts";
import { durationMs } from "./kernel/time.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics, type MetricSources, type Metrics } from "./observe/metrics.ts";
import { createObserver } from "./observe/observer.ts";
import { ownPages } from "./own-pages.ts";
import { createPoolKeeper, type PoolKeeperNeeds } from "./pool-keeper.ts";
import type { HomeStore } from "./storage/home-store.ts";
import type { SpooledLedger } from "./storage/ledger/ledger.ts";
import type { PoolStore } from "./storage/pool-state-store.ts";
import { describeBaseUrlProblem, parseBaseUrl } from "./upstream/base-url.ts";

export type DataPlaneNeeds = {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly upstream: Upstream;
  readonly ledger: SpooledLedger;
  readonly keys: ClientKeys;
  readonly accounts: Accounts;
  /** What the operator set last. Cheap: asked at every look for an account. */
  readonly rule: () => SelectionRule;
  readonly poolStore: PoolStore;
  readonly homeStore: HomeStore;
  /** Null: the data plane is served without TLS. */
  readonly tls: TlsDoor | null;
  /** Null where the admin plane is not served over TCP. */
  readonly admin: AdminDoor | null;
  onQueryCredential(call: Call): void;
  /** For the metrics. */
  readonly auditSinks: MetricSources["auditSinks"];
};

export interface DataPlane {
  readonly pool: PoolOwner;
  readonly url: string;
  /** What an earlier process knew of limits and homes. After the accounts were loaded, before `listen`. */
  remember(): Promise<void>;
  listen(): void;
  /** Not ready at once, no new work, running requests finish or are ended at the deadline. */
  stop(): Promise<void>;
  hurry(): void;
  /** Ends what runs and refuses what waits under this key, before it returns. */
  keyRevoked(id: ClientKeyId): void;
  reportBug(cause: unknown): void;
}

const POLL_MS = durationMs(20);
/** The last events of ended streams get this long to reach their clients. */
const LAST_WORDS_MS = durationMs(100);

export function createDataPlane(needs: DataPlaneNeeds): DataPlane {
  const { config, log, clock, admin } = needs;
  const background = createBackground(log);
  const hurried = new AbortController();
  let listener: DataListener | null = null;
  let isDraining = false;
  const parts = partsOf(needs, {
    background: background.add,
    onLearned(events) {
      observer.learned(events);
      keeper.noticed(events);
      if (events.some(({ type }) => type === "reset_account")) {
        parts.queue.recheck();
      }
    },
  });
  const { pool, homes } = parts;
  const keeper = createPoolKeeper({ ...needs, pool, homes, limits: homeLimitsOf(config) });
  const metrics = metricsOf(needs, parts, () => listener?.active ?? 0);
  const observer = createObserver(log, metrics);
  const rooms: Rooms = { ...parts, observer };
  const reportBug = (cause: unknown) =>
    log.error("The gateway failed inside; this is a bug", {
      error: cause,
    });

  return {
    pool,
    get url() {
      return listener?.url ?? "";
    },
    remember: keeper.load,
    listen() {
      listener = listenOrExplain({
        host: config.server.host,
        port: config.server.port,
        maxConnections: config.limits.maxConnections,
        tls: needs.tls,
        allowedHosts: config.server.allowedHosts,
        allowedOrigins: config.server.allowedOrigins,
        trustedProxies: config.server.trustedProxies,
        allowFrom: config.server.allowFrom,
        adminAllowFrom: config.server.adminAllowFrom,
        clock,
        pages: ownPages({ admission: { ...rooms, passthrough: null }, metrics, isDraining: () => isDraining }),
        serve: (call) => (isDraining ? Promise.resolve(stopping(call)) : serve(call, rooms)),
        admin: admin === null ? null : (call) => (isDraining ? Promise.resolve(stopping(call)) : admin(call)),
        onQueryCredential: needs.onQueryCredential,
        onError: reportBug,
      });
    },
    async stop() {
      isDraining = true;
      const untilMs = clock.now() + config.shutdown.drainMs;
      while (listener !== null && listener.active > 0 && clock.now() < untilMs && !hurried.signal.aborted) {
        await clock.sleep(POLL_MS, hurried.signal);
      }
      rooms.streams.stopAll();
      await clock.sleep(LAST_WORDS_MS, AbortSignal.timeout(LAST_WORDS_MS));
      await listener?.stop();
      await background.settled();
      await keeper.stop();
    },
    hurry: () => hurried.abort(),
    keyRevoked: (id) => rooms.presences.revoked(id),
    reportBug,
  };
}

/** @throws Error for the operator when it is on and its base URL is not one that an account could have. */
function passthroughOf({ passthrough, upstream }: Config): Passthrough | null {
  if (!passthrough.enabled) return null;
  const parsed = parseBaseUrl(passthrough.baseUrl, upstream);
  if (parsed.ok) return { baseUrl: parsed.value };
  throw new Error(`Cannot use passthrough.baseUrl: ${describeBaseUrlProblem(parsed.error)}`);
}

function homeLimitsOf({ selection }: Config): PoolKeeperNeeds["limits"] {
  return { maxHomes: selection.maxConversations, homeMs: selection.homeMs };
}

type Parts = Omit<Rooms, "observer">;
type PartsNeeds = { readonly background: Rooms["background"]; onLearned(events: readonly PoolEvent[]): void };

/** The shared state of the data plane, and its ports. */
function partsOf(needs: DataPlaneNeeds, { background, onLearned }: PartsNeeds): Parts {
  const { config, clock, accounts } = needs;
  const homes = createHomeBook(homeLimitsOf(config));
  return {
    ...needs,
    random: Math.random,
    failedKeys: createFailedKeys({ perMinute: config.limits.failedKeysPerMinute }),
    meters: createKeyMeters(),
    passthrough: passthroughOf(config),
    pool: createPoolOwner({ coordination: createInProcessCoordination(), accounts, onLearned }),
    homes,
    selector: createSelector({ homes, reservations: createReservationBook(), latency: createLatencyBook() }),
    retryBudget: createRetryBudget({ ratio: config.retry.budgetRatio }),
    budget: createBodyBudget(config.limits.inFlightBodyBytes),
    queue: createQueue({ clock, maxWaitMs: config.queue.maxWaitMs, maxWaiting: config.queue.maxWaiting }),
    presences: createPresences(),
    streams: createStreamWatch(clock),
    deadlines: config.deadlines,
    retry: config.retry,
    requestBodyLimitBytes: config.limits.requestBodyBytes,
    pingAfterMs: config.deadlines.pingAfterMs,
    background,
  };
}

const LISTEN_FACTS = new Map([
  ["EADDRINUSE", "the port is in use; stop what listens there, or set PORT to another one (0 takes any free port)"],
  ["EADDRNOTAVAIL", "this machine has no such address"],
  ["EACCES", "this user may not use the port; those below 1024 need a privilege"],
]);

/** @throws Error that an operator can act upon: the runtime's own names neither the port nor the reason. */
function listenOrExplain(options: DataListenerOptions): DataListener {
  try {
    return listenData(options);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const fact = LISTEN_FACTS.get(code) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new Error(`Cannot listen on ${options.host}:${options.port}: ${fact}`, { cause });
  }
}

function metricsOf(needs: DataPlaneNeeds, rooms: Parts, active: () => number): Metrics {
  const { ledger, accounts, clock, log, auditSinks } = needs;
  return createMetrics({
    inFlightRequests: active,
    openStreams: () => rooms.streams.active,
    waitingRequests: () => rooms.queue.waiting,
    bodyBytesInUse: () => rooms.budget.usedBytes,
    bodyBytesLimit: () => rooms.budget.limitBytes,
    accountsByState() {
      const counts = { ready: 0, limited: 0, paused: 0, needs_reauth: 0, dead: 0 };
      for (const account of accounts.snapshot()) {
        counts[accountState(rooms.pool.state, account, clock.now())] += 1;
      }
      return counts;
    },
    ledgerLag: () => ledgerLagOf(ledger.stats()),
    droppedLogLines: () => log.droppedLines,
    refusedRetries: () => rooms.retryBudget.refused,
    knownHomes: () => rooms.homes.size,
    auditSinks,
  });
}

function stopping(call: Call): Answer {
  return refusalAnswer(
    { code: "GW_STOPPING", message: "Cannot take the request: the gateway is stopping", retryAfterSeconds: 5 },
    call.id,
  );
}

/** Work that outlives its request: held until it is done, its failures logged, awaited at stop. */
function createBackground(log: Log) {
  const running = new Set<Promise<void>>();
  return {
    add(work: Promise<void>) {
      const supervised: Promise<void> = work
        .catch((cause: unknown) => log.error("Work beside a request failed", { error: cause }))
        .finally(() => running.delete(supervised));
      running.add(supervised);
    },
    async settled() {
      await Promise.all(running);
    },
  };
}
