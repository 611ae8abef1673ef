// Runs queries on a thread of its own: one over ten million rows takes seconds, a disk may stall, and the relay must not wait.
import type { Database } from "bun:sqlite";
import { yieldToRelay } from "../thread-priority.ts";
import { openDatabase } from "./open-database.ts";
import type { QueryAnswer, QueryRequest } from "./query-protocol.ts";

declare const self: Worker;

yieldToRelay();

let database: Database | null = null;

self.onmessage = ({ data }: MessageEvent<QueryRequest>) => {
  self.postMessage(answer(data));
};

function answer({ id, path, role, sql, parameters }: QueryRequest): QueryAnswer {
  try {
    if (sql === null) return { id, rows: closed() };
    database ??= openDatabase(path, role);
    return { id, rows: database.query(sql).all(...parameters) };
  } catch (cause) {
    // The next query opens the file anew: it may have been replaced.
    closed();
    return { id, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

function closed(): readonly unknown[] {
  database?.close();
  database = null;
  return [];
}
