import { costMicroUsd } from "../../src/domain/pricing/price.ts";
import { type DurationMs, type EpochMs, epochMs } from "../../src/kernel/time.ts";
import { createAgenda } from "./agenda.ts";
import { startSessions } from "./client.ts";
import { type Ideal, workOf } from "./ideal.ts";
import { type CountedWindow, createPooledLimits } from "./pooled-limits.ts";
import { usageOf } from "./provider.ts";
import type { Optimum } from "./report.ts";
import type { Trace } from "./trace.ts";

/**
 * An upper bound for every gateway, by relaxation: all organizations are one, a request may be split between them,
 * every session keeps its cache for as long as its pauses allow, `max_tokens` reserves nothing, growth is not
 * limited, and what is lost soonest (at a reset, with a dying credential) is used first. Of a plan's two windows one
 * is left out in turn; the lower result counts.
 */
export function optimumOf(trace: Trace, ideal: Ideal, maxWaitMs: DurationMs): Optimum {
  const results = (["5h", "7d"] as const).map((counted) => relaxed(trace, ideal, { counted, maxWaitMs }));
  return results.reduce((least, result) => (result.tokensBeforeRefusal < least.tokensBeforeRefusal ? result : least));
}

type Relaxation = { readonly counted: CountedWindow; readonly maxWaitMs: DurationMs };

function relaxed(trace: Trace, ideal: Ideal, { counted, maxWaitMs }: Relaxation): Optimum {
  const agenda = createAgenda(trace.startMs);
  const limits = createPooledLimits(trace, counted);
  let firstRefusalAtMs: EpochMs | null = null;
  let tokensBeforeRefusal = 0;
  let tokensServed = 0;
  startSessions(trace, agenda, {
    submit(request, reply) {
      const work = workOf(request, ideal.readTokens);
      const { turn, modelClass, session } = request;
      const { outputTokens } = turn;
      const inputTokens = work - outputTokens;
      const planMicroUsd = costMicroUsd(usageOf(request, request.promptTokens - inputTokens), session.model) ?? 0;
      const parts = { modelClass, inputTokens, outputTokens, planMicroUsd };
      const latestMs = agenda.nowMs + maxWaitMs;
      function look(): void {
        const waitMs = limits.take(parts, agenda.nowMs);
        if (waitMs === 0) {
          tokensServed += work;
          if (firstRefusalAtMs === null) tokensBeforeRefusal += work;
          agenda.at(agenda.nowMs + turn.firstTokenMs + turn.streamMs, () => reply({ kind: "served" }));
        } else if (agenda.nowMs + waitMs > latestMs) {
          firstRefusalAtMs ??= agenda.nowMs;
          reply({ kind: "refused", retryAtMs: epochMs(agenda.nowMs + maxWaitMs) });
        } else {
          agenda.at(agenda.nowMs + waitMs, look);
        }
      }
      look();
    },
  });
  agenda.runUntil(trace.endMs);
  return { tokensBeforeRefusal, tokensServed, firstRefusalAtMs };
}
