/** Bounds the request bytes held in memory over all requests in flight. */
export interface BodyBudget {
  /** Takes `bytes` from the budget; false, and nothing taken, when they are not there. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
  readonly usedBytes: number;
  readonly limitBytes: number;
}

export function createBodyBudget(limitBytes: number): BodyBudget {
  let usedBytes = 0;
  return {
    limitBytes,
    get usedBytes() {
      return usedBytes;
    },
    reserve(bytes) {
      if (usedBytes + bytes > limitBytes) {
        return false;
      }
      usedBytes += bytes;
      return true;
    },
    release(bytes) {
      usedBytes = Math.max(0, usedBytes - bytes);
    },
  };
}
