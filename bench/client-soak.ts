/**
 * Mixed traffic without end: some workers send whole requests, the others read streams, and leave two of five of them at
 * a random point, by FIN or by RST.
 *
 *   bun bench/client-soak.ts --port P --key K --plain N --streams N --events E --seed S
 *
 * Prints {"plain":N,...} for each line on stdin. Ends when stdin does.
 */
import type { Socket } from "bun";
import { createAnswerReader } from "./answer-reader.ts";
import { numberFlag, textFlag } from "./number-flags.ts";
import { seededRandom } from "./random.ts";
import { createEventCount } from "./sse-count.ts";
import { requestBytes } from "./wire-request.ts";

const ABORT_RATIO = 0.4;
const REQUEST_WAIT_MS = 60_000;
const PLAIN_PAUSE_MS = 20;
const BODY_BYTES = 8_192;
const MAX_REQUESTS = 5_000_000;

const port = numberFlag(process.argv, "port");
const eventsPerStream = numberFlag(process.argv, "events");
const random = seededRandom(numberFlag(process.argv, "seed"));
const key = textFlag(process.argv, "key");
const plainBytes = requestBytes({ key, bodyBytes: BODY_BYTES, isStream: false });
const streamBytes = requestBytes({ key, bodyBytes: BODY_BYTES, isStream: true });

const tally = { plain: 0, completed: 0, aborted: 0, failed: 0 };
let sent = 0;
let isStopping = false;

/** Events after which the client leaves; null stays to the end. */
type Plan = { readonly bytes: Uint8Array; readonly leaveAfterEvents: number | null };
type Outcome = "complete" | "left" | "failed";
type Exchange = { readonly plan: Plan; events: number; settle: (outcome: Outcome) => void };

function leave(socket: Socket<Exchange>): void {
  socket.data.settle("left");
  if (random() < 0.5) socket.terminate();
  else socket.end();
}

async function exchange(plan: Plan): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const reader = createAnswerReader();
  const count = createEventCount();
  const socket = await Bun.connect<Exchange>({
    hostname: "127.0.0.1",
    port,
    data: { plan, events: 0, settle: resolve },
    socket: {
      open: (opened) => {
        opened.write(plan.bytes);
        if (plan.leaveAfterEvents === 0) leave(opened);
      },
      data: (from, chunk) => {
        from.data.events += count.push(chunk);
        if (reader.push(chunk)) resolve(reader.status === 200 ? "complete" : "failed");
        else if (plan.leaveAfterEvents !== null && from.data.events >= plan.leaveAfterEvents) leave(from);
      },
      close: () => resolve("failed"),
      error: () => resolve("failed"),
    },
  });
  const timer = setTimeout(() => resolve("failed"), REQUEST_WAIT_MS);
  const outcome = await promise;
  clearTimeout(timer);
  if (outcome !== "left") socket.end();
  return outcome;
}

function nextPlan(isStream: boolean): Plan {
  if (!isStream) return { bytes: plainBytes, leaveAfterEvents: null };
  const isAborted = random() < ABORT_RATIO;
  return { bytes: streamBytes, leaveAfterEvents: isAborted ? Math.floor(random() * eventsPerStream) : null };
}

function connectionFailed(cause: unknown): Outcome {
  if (tally.failed === 0) process.stderr.write(`Cannot connect: ${String(cause)}\n`);
  return "failed";
}

async function worker(isStream: boolean): Promise<void> {
  while (!isStopping && sent < MAX_REQUESTS) {
    sent += 1;
    const outcome = await exchange(nextPlan(isStream)).catch(connectionFailed);
    if (outcome === "failed") tally.failed += 1;
    else if (outcome === "left") tally.aborted += 1;
    else tally[isStream ? "completed" : "plain"] += 1;
    if (!isStream || outcome === "failed") await Bun.sleep(PLAIN_PAUSE_MS);
  }
}

const workers = [
  ...Array.from({ length: numberFlag(process.argv, "plain") }, () => worker(false)),
  ...Array.from({ length: numberFlag(process.argv, "streams") }, () => worker(true)),
];
for await (const line of console) {
  if (line === "stop") {
    isStopping = true;
    await Promise.all(workers);
  }
  process.stdout.write(`${JSON.stringify({ sent, ...tally })}\n`);
}
process.exit(0);
