import { type DurationMs, durationMs, type EpochMs } from "../kernel/time.ts";
import type { Clock } from "./ports.ts";

/** One running stream, as the watch sees it about once a second. */
export interface WatchedStream {
  tick(nowMs: EpochMs): void;
  /** The gateway stops: end visibly, now. */
  stop(): void;
}

/** One timer for all running streams: 10,000 timers would cost more than the streams. */
export interface StreamWatch {
  readonly active: number;
  add(stream: WatchedStream): void;
  remove(stream: WatchedStream): void;
  /** Ends every stream that still runs. */
  stopAll(): void;
}

const TICK_MS: DurationMs = durationMs(500);

export function createStreamWatch(clock: Clock): StreamWatch {
  const streams = new Set<WatchedStream>();
  let dispose: (() => void) | null = null;
  const tick = () => {
    const nowMs = clock.now();
    for (const stream of streams) {
      stream.tick(nowMs);
    }
  };
  return {
    get active() {
      return streams.size;
    },
    add(stream) {
      streams.add(stream);
      dispose ??= clock.every(TICK_MS, tick);
    },
    stopAll() {
      for (const stream of [...streams]) {
        stream.stop();
      }
    },
    remove(stream) {
      streams.delete(stream);
      if (streams.size === 0) {
        dispose?.();
        dispose = null;
      }
    },
  };
}
