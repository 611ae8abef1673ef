import type { ReplayRequest } from "./request.ts";

/** The prompt caches of one workspace. An entry lasts for its TTL after each use. */
export interface PrefixCache {
  /** Tokens of the prompt that the cache holds: the session's own prefix, else what its tools and system prompt share. */
  readTokens(request: ReplayRequest, nowMs: number): number;
  /** The answer began: only then there is an entry (protocol.md, P25). */
  commit(request: ReplayRequest, nowMs: number): void;
}

type Entry = { readonly tokens: number; readonly expiresAtMs: number };

export function createPrefixCache(): PrefixCache {
  const entries = new Map<string, Entry>();
  function alive(key: string, nowMs: number): number {
    const entry = entries.get(key);
    return entry !== undefined && nowMs < entry.expiresAtMs ? entry.tokens : 0;
  }
  function keep(key: string, tokens: number, expiresAtMs: number): void {
    entries.set(key, { tokens, expiresAtMs: Math.max(expiresAtMs, entries.get(key)?.expiresAtMs ?? 0) });
  }
  return {
    readTokens(request, nowMs) {
      const own = alive(ownKey(request), nowMs);
      return Math.min(request.promptTokens, own > 0 ? own : alive(sharedKey(request), nowMs));
    },
    commit(request, nowMs) {
      const { session, promptTokens } = request;
      const expiresAtMs = nowMs + session.cacheMs;
      keep(ownKey(request), promptTokens, expiresAtMs);
      keep(sharedKey(request), session.sharedTokens, expiresAtMs);
    },
  };
}

/** Entries belong to one model, not to its class. */
function ownKey({ session }: ReplayRequest): string {
  return `${session.model} ${session.id}`;
}

function sharedKey({ session }: ReplayRequest): string {
  return `${session.model} ${session.sharedPrefix}`;
}
