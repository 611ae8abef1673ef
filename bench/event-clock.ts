/** Calls back for every slot in turn, so that a slot comes round once per interval. */
export interface EventClock {
  stop(): void;
}

export type EventClockOptions = {
  readonly intervalMs: number;
  readonly slots: number;
  readonly onSlot: (slot: number) => void;
};

/**
 * Spreads the work of one interval evenly, as streams of unrelated clients would be: when all streams write in the
 * same moment, a proxy reads them in one wake-up and looks cheaper than it is.
 */
export function startEventClock({ intervalMs, slots, onSlot }: EventClockOptions): EventClock {
  const startedAtMs = performance.now();
  let done = 0;
  const timer = setInterval(
    () => {
      const due = Math.floor(((performance.now() - startedAtMs) * slots) / intervalMs);
      // A stalled process does not make up for more than one interval: that would be a burst nobody sends.
      done = Math.max(done, due - slots);
      for (; done < due; done += 1) onSlot(done % slots);
    },
    Math.max(1, Math.floor(intervalMs / slots)),
  );
  return { stop: () => clearInterval(timer) };
}
