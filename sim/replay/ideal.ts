import { createAgenda } from "./agenda.ts";
import { startSessions } from "./client.ts";
import { createPrefixCache } from "./prefix-cache.ts";
import type { ReplayRequest } from "./request.ts";
import type { Trace } from "./trace.ts";

/** What one unlimited account does with a trace: every request is served at once, from one prompt cache. */
export type Ideal = {
  /** By request id. */
  readonly readTokens: ReadonlyMap<string, number>;
  /** Per client key: the work that it asked for within the trace's time. */
  readonly workByKey: ReadonlyMap<string, number>;
  readonly workTokens: number;
  readonly requests: number;
};

export function idealOf(trace: Trace): Ideal {
  const agenda = createAgenda(trace.startMs);
  const cache = createPrefixCache();
  const readTokens = new Map<string, number>();
  const workByKey = new Map<string, number>();
  let workTokens = 0;
  startSessions(trace, agenda, {
    submit(request, reply) {
      const { turn, session } = request;
      readTokens.set(request.id, cache.readTokens(request, agenda.nowMs));
      const work = workOf(request, readTokens);
      workTokens += work;
      workByKey.set(session.clientKey, (workByKey.get(session.clientKey) ?? 0) + work);
      agenda.at(agenda.nowMs + turn.firstTokenMs, () => cache.commit(request, agenda.nowMs));
      agenda.at(agenda.nowMs + turn.firstTokenMs + turn.streamMs, () => reply({ kind: "served" }));
    },
  });
  agenda.runUntil(trace.endMs);
  return { readTokens, workByKey, workTokens, requests: readTokens.size };
}

/**
 * Input that even one unlimited account must process, and the output. Without the shared prefix: in which request
 * that is written is chance. No gateway needs less: waiting only makes the pauses longer in which a cache ends.
 */
export function workOf(request: ReplayRequest, idealReads: ReadonlyMap<string, number>): number {
  const { session, turn, promptTokens, freshTokens } = request;
  const read = idealReads.get(request.id);
  const written = read === undefined ? freshTokens : promptTokens - Math.max(read, session.sharedTokens);
  return written + turn.outputTokens;
}
