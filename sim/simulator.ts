import type { Socket } from "bun";
import type { AccountOptions, SimulatedAccount } from "./account-state.ts";
import { accountHandle, newAccountState } from "./account-state.ts";
import type { Connection, ConnectionHost } from "./connection.ts";
import { createConnection } from "./connection.ts";
import type { SimulatorState, StateOptions } from "./host.ts";
import { createHost, newState } from "./host.ts";
import { createRateLimiter } from "./rate-limit.ts";
import type { RecordedRequest } from "./record-log.ts";
import type { CutKind } from "./step.ts";

// One import gives a test everything that it names; the only re-export of the room.
export type { AccountOptions, RecordedRequest, SimulatedAccount };

export type SimulatorOptions = StateOptions & {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** PEM. Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
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
  /** http://127.0.0.1:port, https with TLS. */
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
  /** Cuts every open connection now, idle or not. Default "fin". */
  dropConnections(kind?: CutKind): void;
  /** Cuts the next connections as soon as they are accepted. Default "reset". */
  refuseConnections(count: number, kind?: CutKind): void;
  /** Closes everything. Rejects with the first bug that the simulator met while it ran. */
  stop(): Promise<void>;
}

const DEFAULT_WAIT_MS = 5_000;
const MAX_ACCOUNTS = 100_000;

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const state = newState(options);
  const connections = new Set<Connection>();
  const host = createHost(state);
  const listener = Bun.listen<SocketData>({
    hostname: options.hostname ?? "127.0.0.1",
    port: options.port ?? 0,
    data: { connection: null },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    socket: socketHandlers(state, host, connections),
  });
  return {
    port: listener.port,
    url: `${options.tls === undefined ? "http" : "https"}://${options.hostname ?? "127.0.0.1"}:${listener.port}`,
    account: (credential, accountOptions = {}) => declareAccount(state, credential, accountOptions),
    requests: state.log.requests,
    get openConnections() {
      return connections.size;
    },
    get activeStreams() {
      return state.activeStreams;
    },
    counters: state.counters,
    waitFor: (predicate, timeoutMs = DEFAULT_WAIT_MS) =>
      state.waiters.wait(() => predicate(state.log.requests), timeoutMs),
    dropConnections(kind = "fin") {
      for (const connection of [...connections]) connection.drop(kind);
    },
    refuseConnections(count, kind = "reset") {
      state.refusal = { left: count, kind };
    },
    async stop() {
      const open = [...connections];
      listener.stop(true);
      await Promise.all(open.map((connection) => connection.settled()));
      state.waiters.stop();
      if (state.failures.length === 0) return;
      throw new Error("Cannot trust the simulator: it failed while it ran", { cause: state.failures[0] });
    },
  };
}

type SocketData = { connection: Connection | null };

function socketHandlers(state: SimulatorState, host: ConnectionHost, connections: Set<Connection>) {
  return {
    open(socket: Socket<SocketData>) {
      const connection = createConnection(socket, host);
      socket.data = { connection };
      connections.add(connection);
      state.counters.connections += 1;
      if (state.refusal.left > 0) {
        state.refusal = { left: state.refusal.left - 1, kind: state.refusal.kind };
        connection.drop(state.refusal.kind);
      }
      state.waiters.notify();
    },
    data: (socket: Socket<SocketData>, bytes: Buffer) => socket.data.connection?.onData(bytes),
    drain: (socket: Socket<SocketData>) => socket.data.connection?.onDrain(),
    close(socket: Socket<SocketData>) {
      const { connection } = socket.data;
      if (connection === null) return;
      connections.delete(connection);
      connection.onClose();
      state.waiters.notify();
    },
    // A reset by the peer: `close` follows and tells the connection.
    error: () => undefined,
  };
}

function declareAccount(state: SimulatorState, credential: string, options: AccountOptions): SimulatedAccount {
  if (state.accounts.size >= MAX_ACCOUNTS) throw new Error(`Cannot declare an account: there are ${MAX_ACCOUNTS}`);
  const account = newAccountState(credential, options);
  state.accounts.set(credential, account);
  if (options.limits !== undefined && !state.limiters.has(account.organization)) {
    state.limiters.set(account.organization, createRateLimiter(options.limits, state.world.nowMs));
  }
  return accountHandle(account, (own) => state.log.requests.filter((request) => request.credential === own));
}
