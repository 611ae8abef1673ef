import type { SocketWriter } from "./socket-writer.ts";

/** Writes the parts about `delayMs` apart, the first at once. False: the peer left. */
export type PacedWriting = (writer: SocketWriter, writes: readonly Uint8Array[], delayMs: number) => Promise<boolean>;

type Playing = {
  readonly writer: SocketWriter;
  readonly writes: readonly Uint8Array[];
  readonly resolve: (isWhole: boolean) => void;
  next: number;
  /** The kernel has not taken the part before; this turn is skipped. */
  isBlocked: boolean;
};

type Wheel = { readonly slots: readonly Set<Playing>[]; timer: Timer | null; turn: number; lastSlot: number };

const MAX_SLOTS = 16;

/**
 * Plays thousands of streams of the same pace from one timer, because a timer per event costs a benchmark peer more
 * than the write. The streams of a pace are spread over up to 16 slots of its period, so that they do not all write
 * at once.
 */
export function createPacer(): PacedWriting {
  const wheels = new Map<number, Wheel>();

  function wheelOf(delayMs: number): Wheel {
    let wheel = wheels.get(delayMs);
    if (wheel === undefined) {
      const slotCount = Math.max(1, Math.min(MAX_SLOTS, Math.floor(delayMs)));
      wheel = { slots: Array.from({ length: slotCount }, () => new Set<Playing>()), timer: null, turn: 0, lastSlot: 0 };
      wheels.set(delayMs, wheel);
    }
    return wheel;
  }

  function onTurn(wheel: Wheel): void {
    wheel.turn = (wheel.turn + 1) % wheel.slots.length;
    const slot = wheel.slots[wheel.turn];
    for (const playing of slot ?? []) if (!playing.isBlocked && !advance(playing)) slot?.delete(playing);
    if (wheel.timer === null || wheel.slots.some((streams) => streams.size > 0)) return;
    clearInterval(wheel.timer);
    wheel.timer = null;
  }

  return (writer, writes, delayMs) =>
    new Promise((resolve) => {
      const playing: Playing = { writer, writes, resolve, next: 0, isBlocked: false };
      if (!advance(playing)) return;
      const wheel = wheelOf(delayMs);
      wheel.lastSlot = (wheel.lastSlot + 1) % wheel.slots.length;
      wheel.slots[wheel.lastSlot]?.add(playing);
      wheel.timer ??= setInterval(() => onTurn(wheel), delayMs / wheel.slots.length);
    });
}

// hot path
/** Writes the next part; false when the stream has ended either way. */
function advance(playing: Playing): boolean {
  const bytes = playing.writes[playing.next];
  if (bytes === undefined || playing.writer.isClosed) {
    playing.resolve(!playing.writer.isClosed);
    return false;
  }
  playing.next += 1;
  const written = playing.writer.write(bytes);
  if (typeof written !== "boolean") void unblock(playing, written);
  else if (playing.next === playing.writes.length || !written) {
    playing.resolve(written);
    return false;
  }
  return true;
}

async function unblock(playing: Playing, written: Promise<boolean>): Promise<void> {
  playing.isBlocked = true;
  await written;
  playing.isBlocked = false;
}
