/** Something that may run out of time. `deadlineIndex` belongs to `Deadlines`; start with -1. */
export interface Timed {
  deadlineIndex: number;
  /** Called on every tick. May remove itself. */
  checkDeadlines(nowMs: number): void;
}

/** How coarse deadlines are: one fires 0 to 2 ticks late, never early. */
export const TICK_MS = 100;
/**
 * A loop that stalled longer than this saw nothing of what arrived meanwhile, so the stall does not count against
 * anybody's deadline beyond it (a suspended laptop must not fail every stream at once).
 */
const MAX_COUNTED_STALL_MS = 1_000;

/**
 * One interval for all requests and idle sockets, instead of two timers for each. It runs only while there is something
 * to watch, and never keeps the process alive.
 */
export class Deadlines {
  /** Milliseconds of this clock's own time at the last tick; a plain field because the hot path reads it. */
  nowMs = 0;
  readonly #timed: Timed[] = [];
  readonly #onTick: (nowMs: number) => boolean;
  #interval: Timer | null = null;
  #readAtMs = 0;

  /** `onTick` is called on every tick; while it returns true the clock runs on even without requests. */
  constructor(onTick: (nowMs: number) => boolean) {
    this.#onTick = onTick;
  }

  /** The tick after which `spanMs` has surely passed. */
  // hot path
  after(spanMs: number): number {
    return this.nowMs + spanMs + TICK_MS;
  }

  // hot path
  add(timed: Timed): void {
    timed.deadlineIndex = this.#timed.length;
    this.#timed.push(timed);
    this.#interval ??= this.#start();
  }

  // hot path
  remove(timed: Timed): void {
    const index = timed.deadlineIndex;
    if (index < 0) return;
    timed.deadlineIndex = -1;
    const last = this.#timed.pop();
    if (last === undefined || last === timed) return;
    this.#timed[index] = last;
    last.deadlineIndex = index;
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  #start(): Timer {
    this.#readAtMs = performance.now();
    const interval = setInterval(() => this.#tick(), TICK_MS);
    interval.unref();
    return interval;
  }

  #tick(): void {
    const readAtMs = performance.now();
    this.nowMs += Math.min(readAtMs - this.#readAtMs, MAX_COUNTED_STALL_MS);
    this.#readAtMs = readAtMs;
    // Backwards: a check may remove its own entry, which moves the last one (already checked) into its place.
    for (let index = this.#timed.length - 1; index >= 0; index -= 1) {
      this.#timed[index]?.checkDeadlines(this.nowMs);
    }
    const isWatching = this.#onTick(this.nowMs);
    if (!isWatching && this.#timed.length === 0) this.stop();
  }
}
