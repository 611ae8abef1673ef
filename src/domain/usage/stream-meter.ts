import { memberOf, textMemberOf } from "../request/json-member.ts";
import { createEventScanner, type EventScanner } from "../sse/event-scanner.ts";
import type { EventData } from "../sse/event-state.ts";
import type { WireError } from "../sse/wire-error.ts";
import { emptyUsage, isCount, mergeUsage, partialUsage } from "./merge-usage.ts";
import { thinkingDroppedOf } from "./thinking-dropped.ts";
import type { Usage } from "./usage.ts";

const MAX_MODEL_CHARACTERS = 256;

/** What a stream came to. */
export type StreamReading = {
  readonly usage: Usage;
  /** The model that upstream says it used. */
  readonly model: string | null;
  /** As far as the bytes tell; who left first, the caller knows. */
  readonly outcome: "completed" | "upstream_error" | "truncated";
  readonly error: WireError | null;
  /** Thinking blocks of the request that upstream left out; null when it does not report them (protocol P22). */
  readonly thinkingDropped: number | null;
};

export interface StreamMeter {
  /** Once per chunk, beside the relay. */
  feed(chunk: Uint8Array): void;
  /** The same scanner that `feed` drives: first event, event boundary, end. */
  readonly events: EventScanner;
  /**
   * Call once. "complete": the body reached the end that its framing promised; "cut": it did not, or the client left.
   * A message without `message_stop` is truncated either way, and its usage partial.
   */
  end(how: "complete" | "cut"): StreamReading;
}

/** Events and usage of one event stream. Never throws. */
export function createStreamMeter(): StreamMeter {
  let usage = emptyUsage;
  let model: string | null = null;
  let isMessage = false;
  let reportedTextBytes = 0;
  let thinkingDropped: number | null = null;

  function take({ kind, data }: EventData): void {
    if (kind === "message_start") {
      isMessage = true;
      const message = memberOf(data, "message");
      usage = mergeUsage(usage, memberOf(message, "usage"));
      thinkingDropped = thinkingDroppedOf(memberOf(message, "input_transformations")) ?? thinkingDropped;
      model = textMemberOf(message, "model")?.slice(0, MAX_MODEL_CHARACTERS) ?? model;
    } else if (kind === "message_delta") {
      const wireUsage = memberOf(data, "usage");
      usage = mergeUsage(usage, wireUsage);
      // Only after a fallback to another model in mid-stream: then these entries replace the first ones.
      thinkingDropped = thinkingDroppedOf(memberOf(data, "input_transformations")) ?? thinkingDropped;
      if (isCount(memberOf(wireUsage, "output_tokens"))) reportedTextBytes = events.textBytes;
    }
  }

  /** A stream that is no message (another endpoint) is whole when its framing says so; pings alone are no answer. */
  function isWhole(how: "complete" | "cut"): boolean {
    const isOtherStream = !isMessage && !events.contentStarted && events.firstEvent !== null;
    return events.hasEnded || (how === "complete" && isOtherStream && events.isAtEventBoundary);
  }

  const events = createEventScanner(take);
  return {
    feed: events.feed,
    events,
    end: (how) => {
      // An output count that came after the last text covers all of it: there is nothing to estimate.
      const unreportedBytes = events.textBytes === reportedTextBytes ? 0 : events.textBytes;
      return {
        usage: isWhole(how) ? usage : partialUsage(usage, unreportedBytes),
        model,
        outcome: events.lastError !== null ? "upstream_error" : isWhole(how) ? "completed" : "truncated",
        error: events.lastError,
        thinkingDropped,
      };
    },
  };
}
