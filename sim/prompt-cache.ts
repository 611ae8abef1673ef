import { createHash } from "node:crypto";
import type { CacheTtl, MessagesBody, PromptBlock } from "./request-body.ts";

/** How the input of one request divides. The total is the sum of all four. */
export type InputTokens = {
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
};

export type CachePlan = InputTokens & {
  /** Writes and refreshes the entries. To be called when the answer begins: before that nothing is cached (P25). */
  commit(): void;
};

export interface PromptCache {
  plan(workspace: string, body: MessagesBody): CachePlan;
}

type Entry = { expiresAtMs: number; readonly ttl: CacheTtl };
type Boundary = { readonly key: string; readonly totalTokens: number; readonly cacheTtl: CacheTtl | null };

const TTL_MS: Readonly<Record<CacheTtl, number>> = { "5m": 5 * 60_000, "1h": 60 * 60_000 };
/** A breakpoint also finds entries that ended up to this many blocks before it, as upstream does. */
const LOOK_BACK_BLOCKS = 20;
const MAX_ENTRIES_PER_WORKSPACE = 10_000;
const BYTES_PER_TOKEN = 4;

/**
 * Prompt caches, one per workspace, never shared between two. Unlike upstream there is no minimum length, so that
 * tests can stay small.
 */
export function createPromptCache(nowMs: () => number): PromptCache {
  const workspaces = new Map<string, Map<string, Entry>>();

  function entriesOf(workspace: string): Map<string, Entry> {
    const known = workspaces.get(workspace);
    if (known !== undefined) return known;
    const created = new Map<string, Entry>();
    workspaces.set(workspace, created);
    return created;
  }

  return {
    plan(workspace, body) {
      const entries = entriesOf(workspace);
      const boundaries = prefixBoundaries(body);
      const hit = longestHit(entries, boundaries, nowMs());
      return {
        ...divide(boundaries, hit),
        commit: () => store(entries, boundaries, hit, nowMs()),
      };
    },
  };
}

/** The identity and the length of the prefix that ends with each block. The model is part of the prefix. */
function prefixBoundaries(body: MessagesBody): readonly Boundary[] {
  const hash = createHash("sha256").update(body.model);
  let bytes = 0;
  return body.blocks.map((block: PromptBlock) => {
    hash.update("\0").update(block.text);
    bytes += Buffer.byteLength(block.text);
    return {
      key: hash.copy().digest("base64"),
      totalTokens: Math.ceil(bytes / BYTES_PER_TOKEN),
      cacheTtl: block.cacheTtl,
    };
  });
}

/** Index of the boundary that is read from the cache, or -1. */
function longestHit(entries: ReadonlyMap<string, Entry>, boundaries: readonly Boundary[], nowMs: number): number {
  for (let breakpoint = boundaries.length - 1; breakpoint >= 0; breakpoint -= 1) {
    if (boundaries[breakpoint]?.cacheTtl == null) continue;
    const lowest = Math.max(0, breakpoint - LOOK_BACK_BLOCKS);
    for (let index = breakpoint; index >= lowest; index -= 1) {
      const entry = entries.get(boundaries[index]?.key ?? "");
      if (entry !== undefined && entry.expiresAtMs > nowMs) return index;
    }
  }
  return -1;
}

function divide(boundaries: readonly Boundary[], hit: number): InputTokens {
  const totalTokens = boundaries.at(-1)?.totalTokens ?? 0;
  const readTokens = boundaries[hit]?.totalTokens ?? 0;
  const upTo1hTokens = Math.max(
    readTokens,
    lastBreakpointTokens(boundaries, (ttl) => ttl === "1h"),
  );
  const upToAnyTokens = Math.max(
    upTo1hTokens,
    lastBreakpointTokens(boundaries, (ttl) => ttl !== null),
  );
  return {
    inputTokens: totalTokens - upToAnyTokens,
    cacheReadTokens: readTokens,
    cacheWrite1hTokens: upTo1hTokens - readTokens,
    cacheWrite5mTokens: upToAnyTokens - upTo1hTokens,
  };
}

function lastBreakpointTokens(boundaries: readonly Boundary[], matches: (ttl: CacheTtl | null) => boolean): number {
  return boundaries.findLast((boundary) => matches(boundary.cacheTtl))?.totalTokens ?? 0;
}

function store(entries: Map<string, Entry>, boundaries: readonly Boundary[], hit: number, nowMs: number): void {
  boundaries.forEach((boundary, index) => {
    const known = entries.get(boundary.key);
    const isAlive = known !== undefined && known.expiresAtMs > nowMs;
    if (index <= hit && isAlive) known.expiresAtMs = nowMs + TTL_MS[known.ttl];
    if (boundary.cacheTtl === null || (isAlive && index <= hit)) return;
    entries.delete(boundary.key);
    entries.set(boundary.key, { expiresAtMs: nowMs + TTL_MS[boundary.cacheTtl], ttl: boundary.cacheTtl });
  });
  for (const key of entries.keys()) {
    if (entries.size <= MAX_ENTRIES_PER_WORKSPACE) break;
    entries.delete(key);
  }
}
