import type { Session, Turn } from "../sim/replay/trace.ts";
import type { TraceRequestWire } from "./contract/trace.ts";
import { durationMs } from "./kernel/time.ts";

/** A request as the replay needs it: every figure is there. */
type Asked = {
  readonly wire: TraceRequestWire;
  readonly startMs: number;
  readonly endMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
};

/** Requests that follow one another, each prompt holding the one before. */
type Chain = { readonly conversation: string | null; readonly requests: Asked[] };

/** A prompt may lose a little and still be the same conversation: dropped thinking, edited context. */
const SHRINK_RATIO = 0.98;
const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
/** The ledger does not keep `max_tokens`; Claude Code asks for at least this much. */
const LEAST_MAX_TOKENS = 8_192;

/** The work in a ledger. Requests without usage (refused, failed, cut) are left out: nobody knows what they were. */
export function sessionsOf(requests: readonly TraceRequestWire[]): readonly Session[] {
  const asked = requests.flatMap(askedOf).sort((left, right) => left.startMs - right.startMs);
  return chainsOf(asked).map(toSession);
}

function askedOf(wire: TraceRequestWire): readonly Asked[] {
  const { inputTokens, cacheWrite5mTokens, cacheWrite1hTokens, cacheReadTokens, outputTokens } = wire.usage;
  if (inputTokens === null || outputTokens === null) return [];
  const promptTokens = inputTokens + (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0) + (cacheReadTokens ?? 0);
  const startMs = Date.parse(wire.startedAt);
  return [{ wire, startMs, endMs: startMs + (wire.timing.totalMs ?? 0), promptTokens, outputTokens }];
}

/**
 * Subagents share their parent's conversation: requests that overlap belong to different chains, and one whose prompt
 * shrank (a compaction, another subagent) begins its own.
 */
function chainsOf(asked: readonly Asked[]): readonly Chain[] {
  const chains: Chain[] = [];
  const open = new Map<string, Chain[]>();
  for (const request of asked) {
    const { conversation, clientKey, model } = request.wire;
    const key = `${clientKey}\n${model}\n${conversation}`;
    const known = conversation === null ? [] : (open.get(key) ?? []);
    const chain = known.filter((each) => canFollow(each, request)).sort(byLongestPrompt)[0];
    if (chain !== undefined) {
      chain.requests.push(request);
      continue;
    }
    const begun: Chain = { conversation, requests: [request] };
    chains.push(begun);
    open.set(key, [...known, begun].slice(-MAX_OPEN_CHAINS));
  }
  return chains;
}

/** Of one conversation; older ones are not looked at again. */
const MAX_OPEN_CHAINS = 64;

function canFollow({ requests }: Chain, next: Asked): boolean {
  const last = requests.at(-1);
  return last !== undefined && last.endMs <= next.startMs && last.promptTokens * SHRINK_RATIO <= next.promptTokens;
}

function byLongestPrompt(left: Chain, right: Chain): number {
  return (right.requests.at(-1)?.promptTokens ?? 0) - (left.requests.at(-1)?.promptTokens ?? 0);
}

function toSession({ conversation, requests }: Chain, index: number): Session {
  const first = requests[0];
  if (first === undefined) throw new Error("Cannot make a session of no requests");
  const id = `ledger-${index}`;
  const writesForAnHour = requests.some(({ wire }) => (wire.usage.cacheWrite1hTokens ?? 0) > 0);
  return {
    id,
    conversationId: conversation ?? id,
    clientKey: first.wire.clientKey,
    model: first.wire.model ?? "unknown",
    requestClass: "main",
    startMs: first.startMs,
    // What sessions share cannot be told from the ledger: each counts its beginning as its own.
    sharedPrefix: `${id}-alone`,
    sharedTokens: 0,
    cacheMs: durationMs(writesForAnHour ? HOUR_MS : FIVE_MINUTES_MS),
    maxTokens: requests.reduce((most, { outputTokens }) => Math.max(most, outputTokens), LEAST_MAX_TOKENS),
    turns: requests.map((request, at) => toTurn(request, requests[at - 1])),
  };
}

function toTurn({ wire, startMs, promptTokens, outputTokens }: Asked, before: Asked | undefined): Turn {
  const { queueMs, firstByteMs, totalMs } = wire.timing;
  const firstMs = Math.max(1, (firstByteMs ?? totalMs ?? 1) - (queueMs ?? 0));
  return {
    thinkMs: durationMs(before === undefined ? 0 : startMs - before.endMs),
    newTokens:
      before === undefined ? promptTokens : Math.max(0, promptTokens - before.promptTokens - before.outputTokens),
    outputTokens,
    firstTokenMs: durationMs(firstMs),
    streamMs: durationMs(Math.max(0, (totalMs ?? 0) - (queueMs ?? 0) - firstMs)),
    subagents: [],
  };
}
