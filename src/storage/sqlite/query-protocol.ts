import type { SQLQueryBindings } from "bun:sqlite";

/** read: cannot change anything. state: what the pool writes down every few seconds. */
export type ThreadRole = "read" | "state";

export type QueryRequest = {
  readonly id: number;
  readonly path: string;
  readonly role: ThreadRole;
  /** Null: close the file, no more queries will come. */
  readonly sql: string | null;
  readonly parameters: readonly SQLQueryBindings[];
};

export type QueryAnswer =
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly problem: string };
