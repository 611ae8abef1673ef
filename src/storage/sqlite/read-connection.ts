import type { CompiledQuery, DatabaseConnection, QueryResult } from "kysely";
import { workerEntry } from "../worker-entry.ts";
import { toBinding } from "./bun-sqlite-dialect.ts";
import type { ReadAnswer, ReadRequest } from "./read-protocol.ts";

/** A thread costs about 10 MB: it is there only while somebody looks at the ledger. */
const IDLE_MS = 30_000;
/** More than this many waiting queries are refused. */
const MAX_WAITING = 100;
const QUERY_DEADLINE_MS = 30_000;

export type ReadConnection = DatabaseConnection & {
  readonly close: () => Promise<void>;
};

type Waiting = { readonly resolve: (rows: readonly unknown[]) => void; readonly reject: (cause: Error) => void };

/** Runs each query in a worker that is started when needed. A query that takes too long ends the worker. */
export function createReadConnection(path: string): ReadConnection {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let idleTimer: Timer | null = null;
  let nextId = 0;
  let isClosed = false;

  const stop = (reason: string): void => {
    worker?.terminate();
    worker = null;
    for (const { reject } of waiting.values()) reject(new Error(`Cannot read the ledger: ${reason}`));
    waiting.clear();
  };

  const rest = (): void => {
    if (idleTimer !== null) clearTimeout(idleTimer);
    idleTimer = setTimeout(() => {
      if (waiting.size === 0) stop("the reader is idle");
    }, IDLE_MS);
    idleTimer.unref();
  };

  const running = (): Worker => {
    worker ??= startWorker(
      (answer) => {
        settle(waiting, answer);
        rest();
      },
      (reason) => stop(reason),
    );
    return worker;
  };

  const ask = async (query: CompiledQuery): Promise<readonly unknown[]> => {
    if (isClosed) throw new Error("Cannot read the ledger: the storage was closed");
    if (waiting.size >= MAX_WAITING) throw new Error(`Cannot read the ledger: ${MAX_WAITING} queries are waiting`);
    const id = nextId++;
    const request: ReadRequest = { id, path, sql: query.sql, parameters: query.parameters.map(toBinding) };
    const deadline = setTimeout(() => stop(`the query took more than ${QUERY_DEADLINE_MS} ms`), QUERY_DEADLINE_MS);
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
      // The rows are what the compiled query selects: Kysely states the type, as every driver takes it.
      return { rows: (await ask(query)) as Row[] };
    },
    streamQuery() {
      throw new Error("Cannot stream a query: every list has a limit, ask for it at once");
    },
    async close() {
      isClosed = true;
      if (idleTimer !== null) clearTimeout(idleTimer);
      stop("the storage was closed");
    },
  };
}

function startWorker(onAnswer: (answer: ReadAnswer) => void, onFailure: (reason: string) => void): Worker {
  const worker = new Worker(workerEntry("sqlite/read-worker.ts"), { name: "ledger-reader" });
  worker.unref();
  worker.onmessage = ({ data }: MessageEvent<ReadAnswer>) => onAnswer(data);
  worker.onerror = ({ message }) => onFailure(`its worker failed (${message})`);
  return worker;
}

function settle(waiting: Map<number, Waiting>, answer: ReadAnswer): void {
  const entry = waiting.get(answer.id);
  if (entry === undefined) return;
  waiting.delete(answer.id);
  if ("rows" in answer) entry.resolve(answer.rows);
  else entry.reject(new Error(`Cannot read the ledger: ${answer.problem}`));
}
