export type RecordedRequest = {
  /** 1, 2, 3 ... in order of arrival. */
  readonly id: number;
  readonly credential: string | null;
  readonly method: string;
  readonly target: string;
  /** Raw order and case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly rawHead: Uint8Array;
  /** Without transfer coding. Shorter than promised when the peer left during the upload. */
  readonly body: Uint8Array;
  readonly bodySha256: string;
  readonly arrivedAtMs: number;
  /** Set when the peer closed before our answer was complete. */
  abortedAtMs: number | null;
  completedAtMs: number | null;
};

export interface RecordLog {
  readonly requests: readonly RecordedRequest[];
  add(record: RecordedRequest): void;
}

export const MAX_RECORDS = 10_000;
export const MAX_RECORDED_BODY_BYTES = 256 * 1024 * 1024;
/** Dropped at once, so that a full log does not move all its records for every new one. */
const DROP_AT_ONCE = 500;

/**
 * Keeps the newest requests: at most 10,000 (at least 9,500 once it was full), and fewer when their bodies exceed
 * 256 MiB together. The newest one is always kept.
 */
export function createRecordLog(): RecordLog {
  const requests: RecordedRequest[] = [];
  let bodyBytes = 0;

  function dropOldest(count: number): void {
    for (const dropped of requests.splice(0, count)) bodyBytes -= dropped.body.length;
  }

  return {
    requests,
    add(record) {
      requests.push(record);
      bodyBytes += record.body.length;
      if (requests.length > MAX_RECORDS) dropOldest(DROP_AT_ONCE);
      while (bodyBytes > MAX_RECORDED_BODY_BYTES && requests.length > 1) dropOldest(1);
    },
  };
}
