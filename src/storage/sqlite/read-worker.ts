// Runs queries over the ledger on a thread of its own: one over ten million rows takes seconds, and the relay must not wait.
import type { Database } from "bun:sqlite";
import { yieldToRelay } from "../thread-priority.ts";
import { openDatabase } from "./open-database.ts";
import type { ReadAnswer, ReadRequest } from "./read-protocol.ts";

declare const self: Worker;

yieldToRelay();

let database: Database | null = null;

self.onmessage = ({ data }: MessageEvent<ReadRequest>) => {
  self.postMessage(answer(data));
};

function answer({ id, path, sql, parameters }: ReadRequest): ReadAnswer {
  try {
    database ??= openDatabase(path, "read");
    return { id, rows: database.query(sql).all(...parameters) };
  } catch (cause) {
    // The next query opens the file anew: it may have been replaced.
    database?.close();
    database = null;
    return { id, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
