import type { BodySink, PushBody, UpstreamFailure } from "./ports.ts";

export type HeldEnd = "end" | UpstreamFailure;

/**
 * A body whose first bytes are looked at before anybody decides what to do with it. Held chunks are the very
 * chunks that are relayed later: nothing is copied.
 */
export interface HeldBody {
  readonly chunks: readonly Uint8Array[];
  readonly heldBytes: number;
  /** Null while more may come. */
  readonly end: HeldEnd | null;
  /** Holds on until `isEnough` says so after a chunk, the body ended or failed, or `cancel` was called. */
  hold(isEnough: (chunk: Uint8Array) => boolean | Promise<boolean>): Promise<void>;
  /** Hands over: held chunks first, then what arrives. Nothing may be held afterwards. */
  release(): PushBody;
  cancel(): void;
}

export function holdBody(source: PushBody): HeldBody {
  const chunks: Uint8Array[] = [];
  let heldBytes = 0;
  let end: HeldEnd | null = null;
  let sink: BodySink | null = null;
  let wake: (() => void) | null = null;

  const arrived = () => {
    const resume = wake;
    wake = null;
    resume?.();
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
    get end() {
      return end;
    },
    async hold(isEnough) {
      let seen = 0;
      for (;;) {
        while (seen < chunks.length) {
          const chunk = chunks[seen++];
          const verdict = chunk === undefined ? false : isEnough(chunk);
          if (verdict === true || (verdict !== false && (await verdict))) {
            return;
          }
        }
        if (end !== null) {
          return;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    release: () => ({
      subscribe(next) {
        for (const chunk of chunks) {
          next.onChunk(chunk);
        }
        chunks.length = 0;
        heldBytes = 0;
        sink = next;
        if (end === "end") {
          next.onEnd();
        } else if (end !== null) {
          next.onFailure(end);
        }
      },
      pause: () => source.pause(),
      resume: () => source.resume(),
      cancel: () => source.cancel(),
    }),
    cancel() {
      end ??= { kind: "aborted", detail: "the gateway dropped the answer", wasSent: true };
      source.cancel();
      arrived();
    },
  };
}
