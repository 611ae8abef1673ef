import type { BodySink, PushBody, UpstreamFailure } from "./ports.ts";

export type HeldEnd = "end" | UpstreamFailure;

/**
 * A body whose first bytes are looked at before anybody decides what to do with it. Held chunks are the very
 * chunks that are relayed later: nothing is copied.
 */
export interface HeldBody {
  readonly chunks: readonly Uint8Array[];
  readonly heldBytes: number;
  /** How many chunks `hold` has shown, in order. Those behind them came while it decided: nobody has looked at them. */
  readonly shownChunks: number;
  /** Null while more may come. */
  readonly end: HeldEnd | null;
  /**
   * Holds on until `isEnough` says so after a chunk, the body ended or failed, or `cancel` was called. Undefined when
   * that is so already: a short answer comes with its headers, and needs no waiting at all. Once enough is held the
   * source is paused until the hand-over, so that an answer that waits for the verdict on another one stays small.
   */
  hold(isEnough: IsEnough): Promise<void> | undefined;
  /** Hands over: held chunks first, then what arrives. Nothing may be held afterwards. */
  release(): PushBody;
  cancel(): void;
}

type IsEnough = (chunk: Uint8Array) => boolean | Promise<boolean>;

export function holdBody(source: PushBody): HeldBody {
  const chunks: Uint8Array[] = [];
  let heldBytes = 0;
  let shownChunks = 0;
  let end: HeldEnd | null = null;
  let sink: BodySink | null = null;
  let wake: (() => void) | null = null;
  let isResting = false;
  let isCancelled = false;

  const arrived = () => {
    const resume = wake;
    wake = null;
    resume?.();
  };
  const drop = () => {
    chunks.length = 0;
    heldBytes = 0;
  };
  const cancel = () => {
    isCancelled = true;
    drop();
    source.cancel();
  };
  const rest = () => {
    if (end === null) {
      isResting = true;
      source.pause();
    }
  };
  const holdOn = async (isEnough: IsEnough, first: boolean | Promise<boolean>): Promise<void> => {
    let verdict = await first;
    while (!verdict) {
      const chunk = chunks[shownChunks];
      if (chunk !== undefined) {
        shownChunks += 1;
        verdict = await isEnough(chunk);
      } else if (end !== null) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    rest();
  };
  source.subscribe({
    onChunk(chunk) {
      if (sink !== null) {
        sink.onChunk(chunk);
        return;
      }
      chunks.push(chunk);
      heldBytes += chunk.length;
      arrived();
    },
    onEnd() {
      end = "end";
      sink === null ? arrived() : sink.onEnd();
    },
    onFailure(failure) {
      end = failure;
      sink === null ? arrived() : sink.onFailure(failure);
    },
  });

  return {
    chunks,
    get heldBytes() {
      return heldBytes;
    },
    get shownChunks() {
      return shownChunks;
    },
    get end() {
      return end;
    },
    hold(isEnough) {
      while (shownChunks < chunks.length) {
        const chunk = chunks[shownChunks];
        shownChunks += 1;
        const verdict = chunk !== undefined && isEnough(chunk);
        if (verdict === true) {
          rest();
          return undefined;
        }
        if (verdict !== false) {
          return holdOn(isEnough, verdict);
        }
      }
      return end === null ? holdOn(isEnough, false) : undefined;
    },
    release: () => ({
      subscribe(next) {
        for (const chunk of chunks) {
          next.onChunk(chunk);
        }
        drop();
        if (isCancelled) {
          return;
        }
        sink = next;
        if (end === "end") {
          next.onEnd();
        } else if (end !== null) {
          next.onFailure(end);
        } else if (isResting) {
          source.resume();
        }
      },
      // A reader that pauses among the held chunks takes the decision over from us.
      pause() {
        isResting = false;
        source.pause();
      },
      resume: () => source.resume(),
      cancel,
    }),
    cancel() {
      end ??= { kind: "aborted", detail: "the gateway dropped the answer", wasSent: true };
      cancel();
      arrived();
    },
  };
}
