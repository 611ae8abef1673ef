// The thread that owns the ledger's way into the database: a slow or locked disk blocks it, never the relay.

import { yieldToRelay } from "../thread-priority.ts";
import { createIngester, type Ingester } from "./ingester.ts";
import type { FromIngest, ToIngest } from "./protocol.ts";

declare const self: Worker;

yieldToRelay();

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** How often a finished segment is looked at again that could not be deleted yet. */
const RELEASE_PAUSE_MS = 1000;

let ingester: Ingester | null = null;
let timer: Timer | null = null;
let retryMs = 0;
let isStopping = false;

self.onmessage = ({ data }: MessageEvent<ToIngest>) => {
  if (data.kind === "start") {
    const { databasePath, spoolDir, isSwept } = data;
    ingester = createIngester({ databasePath, spoolDir, isSwept, report });
    for (const segment of data.segments) ingester.update(segment);
    wake(0);
  } else if (data.kind === "segment") {
    ingester?.update(data.segment);
    if (retryMs === 0) wake(0);
  } else {
    isStopping = true;
    if (timer !== null) clearTimeout(timer);
    ingester?.reset();
    report({ kind: "stopped" });
  }
};

function report(message: FromIngest): void {
  self.postMessage(message);
}

function wake(delayMs: number): void {
  if (timer !== null) clearTimeout(timer);
  if (!isStopping) timer = setTimeout(work, delayMs);
}

/** One batch per turn, so that messages are read in between. */
function work(): void {
  timer = null;
  if (ingester === null) return;
  try {
    const step = ingester.step();
    if (retryMs > 0) report({ kind: "recovered" });
    retryMs = 0;
    if (step !== "idle") wake(step === "more" ? 0 : RELEASE_PAUSE_MS);
  } catch (cause) {
    ingester.reset();
    retryMs = retryMs === 0 ? FIRST_RETRY_MS : Math.min(LAST_RETRY_MS, retryMs * 2);
    report({ kind: "failed", detail: cause instanceof Error ? cause.message : String(cause) });
    wake(retryMs);
  }
}
