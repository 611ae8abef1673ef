import type { RequestId } from "../domain/ledger/record.ts";
import { type DurationMs, epochMs } from "../kernel/time.ts";
import type { ControlClock, RequestReader } from "./ports.ts";
import { type Names, type RequestReport, reporter } from "./requests.ts";

export type TracedRequest = RequestReport & {
  /** Equal for the requests of one conversation; null when it had none, or was not known. */
  readonly conversation: string | null;
};

export type TraceQuery = {
  readonly span: DurationMs;
  /** The last one of the page before; null for the first page. */
  readonly afterId: RequestId | null;
  /** 1..5000 */
  readonly limit: number;
};

export type Trace = {
  /** Oldest first. */
  readonly requests: readonly TracedRequest[];
  /** Ask for the next page after this one; null when this is the last. */
  readonly nextId: RequestId | null;
};

/** What happened, for a replay: who, when and how much, never what. */
export type TraceService = { page(query: TraceQuery): Promise<Trace> };

export function createTraceService(reader: RequestReader, names: Names, clock: ControlClock): TraceService {
  return {
    async page({ span, afterId, limit }) {
      const sinceMs = epochMs(Math.max(0, clock.now() - span));
      const rows = await reader.trace({ sinceMs, afterId, limit });
      const toReport = reporter(names);
      const requests = rows.map(({ row, conversation }) => ({ ...toReport(row), conversation }));
      return { requests, nextId: rows.length < limit ? null : (rows.at(-1)?.row.id ?? null) };
    },
  };
}
