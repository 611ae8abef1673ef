// Runs queries on a thread of its own: one over ten million rows takes seconds, a disk may stall, and the relay must not wait.
import type { Database } from "bun:sqlite";
import { statSync } from "node:fs";
import { yieldToRelay } from "../thread-priority.ts";
import { openDatabase } from "./open-database.ts";
import type { QueryAnswer, QueryRequest, ThreadRole } from "./query-protocol.ts";

declare const self: Worker;

yieldToRelay();

let opened: { readonly database: Database; readonly inode: number | null } | null = null;

self.onmessage = ({ data }: MessageEvent<QueryRequest>) => {
  self.postMessage(answer(data));
};

function answer({ id, path, role, sql, parameters }: QueryRequest): QueryAnswer {
  try {
    if (sql === null) return { id, rows: closed() };
    return {
      id,
      rows: openAt(path, role)
        .query(sql)
        .all(...parameters),
    };
  } catch (cause) {
    // The next query opens the file anew: it may have been replaced.
    closed();
    return { id, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** In WAL mode the engine does not notice that its file was moved: what it takes then is lost with the old one. */
function openAt(path: string, role: ThreadRole): Database {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino ?? null;
  if (opened !== null && opened.inode !== inode) closed();
  opened ??= { database: openDatabase(path, role), inode };
  return opened.database;
}

function closed(): readonly unknown[] {
  opened?.database.close();
  opened = null;
  return [];
}
