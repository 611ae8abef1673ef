import type { BodySink, PushBody, UpstreamFailure } from "./ports.ts";
import type { Rooms } from "./rooms.ts";
import type { StreamTap, WholeTap } from "./tap.ts";
import type { Walk } from "./walk.ts";

export type BodyEnd = "complete" | "cut" | "client_gone";

export type MeteredBody = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly tap: StreamTap | WholeTap;
  readonly source: PushBody;
  /** So many chunks were shown to the tap at the gate; they come first inside subscribe(), for the client alone. */
  readonly shownChunks: number;
  /** Called once, when the last byte was handed over, upstream broke off, or the client left. */
  finish(end: BodyEnd): void;
  /** Sees each chunk after it was handed to the client. */
  onRelayed?(): void;
  /** Decides how the client sees the end. Default: as upstream ended it. */
  endWith?(sink: BodySink, failure: UpstreamFailure | null): void;
};

export type MeteredPushBody = PushBody & {
  /** Drops the source and finishes as `end`. */
  abandon(end: BodyEnd): void;
};

/** The bytes go to the client first and to the tap second, so that metering delays nothing. */
export function meteredBody(metered: MeteredBody): MeteredPushBody {
  const { walk, rooms, tap, source, finish, onRelayed, endWith } = metered;
  let isFinished = false;
  const finishOnce = (end: BodyEnd) => {
    if (!isFinished) {
      isFinished = true;
      finish(end);
    }
  };
  const abandon = (end: BodyEnd) => {
    source.cancel();
    finishOnce(end);
  };
  return {
    abandon,
    subscribe(sink) {
      let toSkip = metered.shownChunks;
      const end = (failure: UpstreamFailure | null) => {
        if (endWith !== undefined) {
          endWith(sink, failure);
        } else if (failure === null) {
          sink.onEnd();
        } else {
          sink.onFailure(failure);
        }
        // A client that leaves aborts upstream, which then fails first.
        finishOnce(failure === null ? "complete" : walk.call.signal.aborted ? "client_gone" : "cut");
      };
      source.subscribe({
        // hot path: once per streamed event.
        onChunk(chunk) {
          walk.firstByteAtMs ??= rooms.clock.now();
          walk.responseBytes += chunk.length;
          sink.onChunk(chunk);
          if (toSkip > 0) {
            toSkip -= 1;
          } else {
            void tap.feed(chunk);
          }
          onRelayed?.();
        },
        onEnd: () => end(null),
        onFailure: end,
      });
      walk.presence.endAnswer = () => {
        sink.onFailure({ kind: "aborted", detail: "the client key was revoked", wasSent: true });
        abandon("cut");
      };
    },
    pause: () => source.pause(),
    resume: () => source.resume(),
    cancel: () => abandon("client_gone"),
  };
}
