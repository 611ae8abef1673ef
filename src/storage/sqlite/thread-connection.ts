import type { CompiledQuery, DatabaseConnection, QueryResult } from "kysely";
import { workerEntry } from "../worker-entry.ts";
import { toBinding } from "./bun-sqlite-dialect.ts";
import type { QueryAnswer, QueryRequest, ThreadRole } from "./query-protocol.ts";

/** A thread costs about 10 MB: it is there only while somebody asks. */
const IDLE_MS = 30_000;
/** More than this many waiting queries are refused. */
const MAX_WAITING = 100;
const QUERY_DEADLINE_MS = 30_000;
const CLOSE_DEADLINE_MS = 2_000;

export type ThreadConnection = DatabaseConnection & {
  /** Waits a moment for the query that runs; those behind it are refused. */
  readonly close: () => Promise<void>;
};

export type ThreadOptions = {
  readonly path: string;
  readonly role: ThreadRole;
  /** At most 15 characters: the system cuts a longer one. */
  readonly threadName: string;
  /** Completes "Cannot ...". */
  readonly doing: string;
};

type Waiting = { readonly resolve: (rows: readonly unknown[]) => void; readonly reject: (cause: Error) => void };

/** Runs each query in a worker that is started when needed. A query that takes too long ends the worker. */
export function createThreadConnection({ path, role, threadName, doing }: ThreadOptions): ThreadConnection {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let idleTimer: Timer | null = null;
  let nextId = 0;
  let isClosed = false;

  const stop = (reason: string): void => {
    worker?.terminate();
    worker = null;
    for (const { reject } of waiting.values()) reject(new Error(`Cannot ${doing}: ${reason}`));
    waiting.clear();
  };

  const rest = (): void => {
    if (idleTimer !== null) clearTimeout(idleTimer);
    idleTimer = setTimeout(() => {
      if (waiting.size === 0) stop("its thread is idle");
    }, IDLE_MS);
    idleTimer.unref();
  };

  const running = (): Worker => {
    worker ??= startWorker(threadName, {
      onAnswer(answer) {
        settle(waiting, answer, doing);
        rest();
      },
      onFailure: stop,
    });
    return worker;
  };

  const ask = async (query: Asked, deadlineMs: number): Promise<readonly unknown[]> => {
    const id = nextId++;
    const request: QueryRequest = { id, path, role, ...query };
    const deadline = setTimeout(() => stop(`it took more than ${deadlineMs} ms`), deadlineMs);
    try {
      return await new Promise<readonly unknown[]>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        running().postMessage(request);
      });
    } finally {
      clearTimeout(deadline);
    }
  };

  return {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      if (isClosed) throw new Error(`Cannot ${doing}: the storage was closed`);
      if (waiting.size >= MAX_WAITING) throw new Error(`Cannot ${doing}: ${MAX_WAITING} queries are waiting`);
      const asked = { sql: query.sql, parameters: query.parameters.map(toBinding) };
      // The rows are what the compiled query selects: Kysely states the type, as every driver takes it.
      return { rows: (await ask(asked, QUERY_DEADLINE_MS)) as Row[] };
    },
    streamQuery() {
      throw new Error("Cannot stream a query: every list has a limit, ask for it at once");
    },
    async close() {
      isClosed = true;
      if (worker !== null) await ask({ sql: null, parameters: [] }, CLOSE_DEADLINE_MS).catch(() => undefined);
      if (idleTimer !== null) clearTimeout(idleTimer);
      stop("the storage was closed");
    },
  };
}

type Asked = Pick<QueryRequest, "sql" | "parameters">;

type WorkerEvents = {
  readonly onAnswer: (answer: QueryAnswer) => void;
  readonly onFailure: (reason: string) => void;
};

function startWorker(name: string, { onAnswer, onFailure }: WorkerEvents): Worker {
  const worker = new Worker(workerEntry("sqlite/query-worker.ts"), { name });
  worker.unref();
  worker.onmessage = ({ data }: MessageEvent<QueryAnswer>) => onAnswer(data);
  worker.onerror = ({ message }) => onFailure(`its worker failed (${message})`);
  return worker;
}

function settle(waiting: Map<number, Waiting>, answer: QueryAnswer, doing: string): void {
  const entry = waiting.get(answer.id);
  if (entry === undefined) return;
  waiting.delete(answer.id);
  if ("rows" in answer) entry.resolve(answer.rows);
  else entry.reject(new Error(`Cannot ${doing}: ${answer.problem}`));
}
