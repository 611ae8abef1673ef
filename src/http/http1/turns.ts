import { MAX_BURST } from "./connection-limits.ts";

/** Sees to it that a client that sends many requests at once does not hold up all the others. */
export class Turns {
  #taken = 0;
  /** The next turn is waited for; `goOn` will be called. */
  isWaiting = false;

  /** One more request is taken. */
  // hot path
  take(): void {
    this.#taken += 1;
  }

  /** The client waits for us no more: it starts anew. */
  // hot path
  restart(): void {
    this.#taken = 0;
  }

  /** True when `goOn` is called later, after everybody else, instead of going on now. */
  // hot path
  mustWait(goOn: () => void): boolean {
    if (this.#taken < MAX_BURST) return false;
    this.isWaiting = true;
    setImmediate(() => {
      this.isWaiting = false;
      this.#taken = 0;
      goOn();
    });
    return true;
  }
}
