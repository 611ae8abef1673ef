import { judge } from "../domain/failover/judge.ts";
import { noLimitFacts } from "../domain/ratelimit/limit-facts.ts";
import { streamErrorStatus } from "../domain/sse/wire-error.ts";
import type { StreamReading } from "../domain/usage/stream-meter.ts";
import { durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { judgeContextOf } from "./judge-context.ts";
import type { BodySink, PushBody, UpstreamFailure } from "./ports.ts";
import { type BodyEnd, meteredBody } from "./relay-body.ts";
import type { Rooms } from "./rooms.ts";
import type { StreamTap } from "./tap.ts";
import { settleWalk, type Walk } from "./walk.ts";

/** A client that takes no byte for so long is gone (security.md D23). */
const WRITE_STALL_MS = durationMs(60_000);

const ENCODER = new TextEncoder();
const PING = ENCODER.encode('event: ping\ndata: {"type": "ping"}\n\n');

/** Ends a cut stream visibly; a `message_stop` is never invented (protocol.md P39). */
function cutEvent(message: string): Uint8Array {
  const data = { type: "error", error: { type: "api_error", message } };
  return ENCODER.encode(`event: error\ndata: ${JSON.stringify(data)}\n\n`);
}

const CUT = cutEvent("The upstream stream ended before its message was complete (GW_STREAM_CUT)");
const STOPPING = cutEvent("The gateway stopped before the message was complete (GW_STOPPING)");
const REVOKED = cutEvent("The client key was revoked before the message was complete (GW_KEY_REVOKED)");

export type GuardedStream = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly tap: StreamTap;
  readonly source: PushBody;
  /** @see MeteredBody */
  readonly shownChunks: number;
  readonly status: number;
  /** The stream begins with an error that was judged at the gate: the pool has learned from it. */
  readonly isJudgedError: boolean;
};

/** An event stream on its way to the client: kept alive in silence, ended visibly when cut, recorded as what it was. */
export function guardStream(guarded: GuardedStream): PushBody {
  const { walk, rooms, tap } = guarded;
  const { meter } = tap;
  let lastByteAtMs = rooms.clock.now();
  let pausedAtMs: EpochMs | null = null;
  let client: BodySink | null = null;
  let reading: StreamReading | null = null;

  const body = meteredBody({
    ...guarded,
    onRelayed() {
      lastByteAtMs = rooms.clock.now();
    },
    endWith: (_, failure) => whenDrained(tap, rooms, () => endStream(failure)),
    finish(end) {
      rooms.streams.remove(watched);
      whenDrained(tap, rooms, () => settleStream(guarded, end, reading ?? meter.end("cut")));
    },
  });

  const endStream = (failure: UpstreamFailure | null) => {
    reading = meter.end(failure === null ? "complete" : "cut");
    if (client === null) {
      return;
    }
    // Once message_stop or an error event was relayed, the client has the whole story, however the connection ended.
    if (reading.outcome !== "truncated" || (failure === null && tap.isBlind)) {
      client.onEnd();
    } else {
      endVisibly(client, CUT, failure);
    }
  };
  const endVisibly = (sink: BodySink, event: Uint8Array, failure: UpstreamFailure | null) => {
    if (tap.isIdentity && meter.events.isAtEventBoundary) {
      walk.responseBytes += event.length;
      sink.onChunk(event);
    }
    sink.onFailure(failure ?? { kind: "reset", detail: "the stream ended without message_stop", wasSent: true });
  };

  const watched = {
    tick(nowMs: EpochMs) {
      if (pausedAtMs !== null && elapsed(pausedAtMs, nowMs) >= WRITE_STALL_MS) {
        body.abandon("client_gone");
        client?.onFailure({ kind: "idle_timeout", detail: "the client stopped reading", wasSent: true });
        return;
      }
      const isSilent = elapsed(lastByteAtMs, nowMs) >= rooms.pingAfterMs;
      if (isSilent && pausedAtMs === null && client !== null && tap.isIdentity && meter.events.isAtEventBoundary) {
        lastByteAtMs = nowMs;
        walk.responseBytes += PING.length;
        client.onChunk(PING);
      }
    },
    stop: () => endNow(STOPPING),
  };
  const endNow = (event: Uint8Array) => {
    if (client !== null && meter.events.hasEnded) {
      client.onEnd();
    } else if (client !== null) {
      endVisibly(client, event, null);
    }
    body.abandon("cut");
  };

  return {
    subscribe(sink) {
      client = sink;
      rooms.streams.add(watched);
      body.subscribe(sink);
      walk.presence.endAnswer = () => endNow(REVOKED);
      if (walk.presence.isRevoked && !walk.isSettled) {
        endNow(REVOKED);
      }
    },
    pause() {
      pausedAtMs ??= rooms.clock.now();
      body.pause();
    },
    resume() {
      pausedAtMs = null;
      body.resume();
    },
    cancel() {
      client = null;
      body.cancel();
    },
  };
}

/** Runs `next` once the tap has read every byte: at once for plain bytes, a moment later for encoded ones. */
function whenDrained(tap: StreamTap, rooms: Rooms, next: () => void): void {
  const draining = tap.drained();
  if (draining === undefined) {
    next();
  } else {
    rooms.background(draining.then(next));
  }
}

function settleStream(
  { walk, rooms, tap, status, isJudgedError }: GuardedStream,
  end: BodyEnd,
  reading: StreamReading,
) {
  const { error, usage, thinkingDropped } = reading;
  if (error !== null && !isJudgedError) {
    learnLateError(walk, error, rooms);
  }
  const isCutByUs = walk.presence.isRevoked && reading.outcome === "truncated";
  const outcome = isCutByUs ? "revoked" : streamOutcome(end, reading, tap);
  settleWalk(walk, { status, outcome, usage, errorType: error?.type ?? null, thinkingDropped }, rooms);
}

function streamOutcome(
  end: BodyEnd,
  { outcome }: StreamReading,
  tap: StreamTap,
): StreamReading["outcome"] | "client_gone" {
  if (outcome === "upstream_error") {
    return outcome;
  }
  // One that left after message_stop has the whole message.
  if (end === "client_gone" && outcome !== "completed") {
    return "client_gone";
  }
  return end === "complete" && tap.isBlind ? "completed" : outcome;
}

/** An error after content is relayed as it is and cannot fail over, but the pool learns from it. */
function learnLateError(walk: Walk, error: { readonly type: string; readonly message: string }, rooms: Rooms): void {
  const { account } = walk;
  if (account === null) {
    return;
  }
  const verdict = judge(
    {
      kind: "answer",
      status: streamErrorStatus(error.type),
      limits: noLimitFacts,
      errorType: error.type,
      errorMessage: error.message,
    },
    judgeContextOf(walk, account, rooms),
  );
  rooms.pool.learn(verdict.learn);
}
