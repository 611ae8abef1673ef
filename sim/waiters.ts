/** Promises that resolve when a condition holds; looked at after every event, never by the clock. */
export interface Waiters {
  /** Rejects after `timeoutMs`, when the condition throws, or when `stop` is called first. */
  wait(holds: () => boolean, timeoutMs: number): Promise<void>;
  /** To be called after everything that may make a condition true. */
  notify(): void;
  stop(): void;
}

type Waiter = {
  readonly holds: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

export function createWaiters(): Waiters {
  const waiting = new Set<Waiter>();

  function check(waiter: Waiter): void {
    try {
      if (!waiter.holds()) return;
      waiting.delete(waiter);
      waiter.resolve();
    } catch (error) {
      waiting.delete(waiter);
      waiter.reject(error);
    }
  }

  return {
    async wait(holds, timeoutMs) {
      let timer: Timer | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          const waiter = { holds, resolve, reject };
          waiting.add(waiter);
          timer = setTimeout(() => {
            waiting.delete(waiter);
            reject(new Error(`Cannot wait for the simulator: the condition did not hold within ${timeoutMs} ms`));
          }, timeoutMs);
          check(waiter);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    notify() {
      for (const waiter of waiting) check(waiter);
    },
    stop() {
      for (const waiter of waiting) waiter.reject(new Error("Cannot wait for the simulator: it was stopped"));
      waiting.clear();
    },
  };
}
