import type { Socket } from "bun";
import type { AccountOptions, AccountState, SimulatedAccount } from "./account-state.ts";
import { accountHandle, newAccountState, peekStep } from "./account-state.ts";
import { react } from "./api.ts";
import type { Connection, ConnectionHost } from "./connection.ts";
import { createConnection } from "./connection.ts";
import { createFixedAnswers } from "./fixed-answers.ts";
import { createPromptCache } from "./prompt-cache.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { createRateLimiter } from "./rate-limit.ts";
import type { RecordedRequest } from "./record-log.ts";
import { createRecordLog } from "./record-log.ts";
import type { RequestHead } from "./request-head.ts";
import { createWaiters } from "./waiters.ts";

export type SimulatorOptions = {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Default "records": keeps requests, see MAX_RECORDS. "counts": only counters and no bodies, for benchmarks. */
  readonly recording?: "records" | "counts";
  /** Clock of records, rate limits and prompt caches; scripted delays always use real time. Default Date.now. */
  readonly nowMs?: () => number;
};

/** Since the start, over all accounts, in either recording mode. */
export type SimulatorCounters = {
  readonly connections: number;
  readonly requests: number;
  readonly completed: number;
  /** The peer left before the answer was complete. */
  readonly aborted: number;
  /** Broken off by the script. */
  readonly cut: number;
};

export interface Simulator {
  readonly port: number;
  /** http://127.0.0.1:port */
  readonly url: string;
  /**
   * Declares an account by the credential that a client sends (x-api-key value or bearer token). Unknown credentials
   * get 401. Declaring it again replaces it.
   */
  account(credential: string, options?: AccountOptions): SimulatedAccount;
  /** Every request in order of arrival, over all accounts: the newest 10,000 or 256 MiB of bodies. */
  readonly requests: readonly RecordedRequest[];
  readonly openConnections: number;
  /** Event streams under way. */
  readonly activeStreams: number;
  readonly counters: SimulatorCounters;
  /**
   * Resolves when the predicate holds; it is asked after every arrival, end, opening and closing, never by the clock.
   * Rejects after `timeoutMs` (default 5000).
   */
  waitFor(predicate: (requests: readonly RecordedRequest[]) => boolean, timeoutMs?: number): Promise<void>;
  /** Closes everything. Rejects with the first bug that the simulator met while it ran. */
  stop(): Promise<void>;
}

const DEFAULT_WAIT_MS = 5_000;
const MAX_ACCOUNTS = 100_000;

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const nowMs = options.nowMs ?? Date.now;
  const keepsRecords = options.recording !== "counts";
  const accounts = new Map<string, AccountState>();
  const limiters = new Map<string, RateLimiter>();
  const log = createRecordLog();
  const waiters = createWaiters();
  const connections = new Set<Connection>();
  const counters = { connections: 0, requests: 0, completed: 0, aborted: 0, cut: 0 };
  const failures: unknown[] = [];
  let activeStreams = 0;
  let lastId = 0;

  const world = {
    nowMs,
    nextId: () => (lastId += 1),
    promptCache: createPromptCache(nowMs),
    limiterOf: (organization: string) => limiters.get(organization) ?? null,
  };
  const fixed = createFixedAnswers(world);

  function accountOf(head: RequestHead): AccountState | null {
    if (head.credential === null) return null;
    const account = accounts.get(head.credential.text);
    if (account === undefined) return null;
    return (account.options.kind ?? head.credential.kind) === head.credential.kind ? account : null;
  }

  function nextStep(head: RequestHead) {
    const account = accountOf(head);
    return account === null ? null : peekStep(account, pathOf(head.target));
  }

  const host: ConnectionHost = {
    nowMs,
    bodyCare(head) {
      if (keepsRecords) return "hash";
      return host.fixedAnswer(head) === null ? "keep" : "drop";
    },
    answersEarly(head) {
      const step = nextStep(head);
      return step !== null && "waitForBody" in step && step.waitForBody === false;
    },
    fixedAnswer(head) {
      const account = keepsRecords ? null : accountOf(head);
      return account === null ? null : fixed.of(account, head);
    },
    react: (head, body) => react(world, { method: head.method, target: head.target, body, account: accountOf(head) }),
    arrived({ head, rawHead, body, arrivedAtMs }) {
      counters.requests += 1;
      const record: RecordedRequest | null = !keepsRecords
        ? null
        : {
            id: counters.requests,
            credential: head.credential?.text ?? null,
            method: head.method,
            target: head.target,
            headers: head.headers,
            rawHead: rawHead.slice(),
            body: body.bytes,
            bodySha256: body.sha256,
            arrivedAtMs,
            abortedAtMs: null,
            completedAtMs: null,
          };
      if (record !== null) log.add(record);
      waiters.notify();
      return record;
    },
    ended(record, how) {
      counters[how] += 1;
      if (record !== null && how === "completed") record.completedAtMs = nowMs();
      if (record !== null && how === "aborted") record.abortedAtMs = nowMs();
      waiters.notify();
    },
    streams(change) {
      activeStreams += change;
      waiters.notify();
    },
    failed: (error) => failures.push(error),
  };

  const listener = Bun.listen<{ connection: Connection | null }>({
    hostname: options.hostname ?? "127.0.0.1",
    port: options.port ?? 0,
    data: { connection: null },
    socket: {
      open(socket: Socket<{ connection: Connection | null }>) {
        const connection = createConnection(socket, host);
        socket.data = { connection };
        connections.add(connection);
        counters.connections += 1;
        waiters.notify();
      },
      data: (socket, bytes) => socket.data.connection?.onData(bytes),
      drain: (socket) => socket.data.connection?.onDrain(),
      close(socket) {
        const { connection } = socket.data;
        if (connection === null) return;
        connections.delete(connection);
        connection.onClose();
        waiters.notify();
      },
      // A reset by the peer: `close` follows and tells the connection.
      error: () => undefined,
    },
  });

  return {
    port: listener.port,
    url: `http://127.0.0.1:${listener.port}`,
    account(credential, accountOptions = {}) {
      if (accounts.size >= MAX_ACCOUNTS) throw new Error(`Cannot declare an account: there are ${MAX_ACCOUNTS}`);
      const state = newAccountState(credential, accountOptions);
      accounts.set(credential, state);
      if (accountOptions.limits !== undefined && !limiters.has(state.organization)) {
        limiters.set(state.organization, createRateLimiter(accountOptions.limits, nowMs));
      }
      return accountHandle(state, (own) => log.requests.filter((request) => request.credential === own));
    },
    requests: log.requests,
    get openConnections() {
      return connections.size;
    },
    get activeStreams() {
      return activeStreams;
    },
    counters,
    waitFor: (predicate, timeoutMs = DEFAULT_WAIT_MS) => waiters.wait(() => predicate(log.requests), timeoutMs),
    async stop() {
      const open = [...connections];
      listener.stop(true);
      await Promise.all(open.map((connection) => connection.settled()));
      waiters.stop();
      if (failures.length > 0)
        throw new Error("Cannot trust the simulator: it failed while it ran", { cause: failures[0] });
    },
  };
}

function pathOf(target: string): string {
  const end = target.indexOf("?");
  return end === -1 ? target : target.slice(0, end);
}
