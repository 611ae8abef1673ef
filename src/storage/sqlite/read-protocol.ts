import type { SQLQueryBindings } from "bun:sqlite";

export type ReadRequest = {
  readonly id: number;
  readonly path: string;
  readonly sql: string;
  readonly parameters: readonly SQLQueryBindings[];
};

export type ReadAnswer =
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly problem: string };
