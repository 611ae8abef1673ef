/**
 * Opens many streams and counts what arrives on them.
 *
 *   bun bench/client-streams.ts --port P --key K --streams N --opening W --body-bytes B
 *
 * Prints {"open":N,...} when all streams have begun or failed, and again for each line on stdin. At most W streams are
 * being opened at one time. Ends when stdin does.
 */
import type { Socket } from "bun";
import { numberFlag, textFlag } from "./number-flags.ts";
import { createEventCount } from "./sse-count.ts";
import { requestBytes } from "./wire-request.ts";

const OPEN_WAIT_MS = 30_000;

const port = numberFlag(process.argv, "port");
const streams = numberFlag(process.argv, "streams");
const opening = numberFlag(process.argv, "opening");
const bytes = requestBytes({
  key: textFlag(process.argv, "key"),
  bodyBytes: numberFlag(process.argv, "body-bytes"),
  isStream: true,
});

const tally = { open: 0, failed: 0, lost: 0, events: 0, bytes: 0, lowestEvents: 0, refusedStatus: 0 };
const eventsOfStream: number[] = [];

type Stream = { id: number; isOpen: boolean; begun: () => void; count: ReturnType<typeof createEventCount> };

function receive(socket: Socket<Stream>, chunk: Buffer): void {
  const stream = socket.data;
  if (!stream.isOpen) {
    const status = Number(chunk.toString("latin1", 9, 12));
    if (status !== 200) {
      tally.refusedStatus = status;
      socket.terminate();
      return;
    }
    stream.isOpen = true;
    tally.open += 1;
    stream.begun();
  }
  const events = stream.count.push(chunk);
  tally.events += events;
  tally.bytes += chunk.length;
  eventsOfStream[stream.id] = (eventsOfStream[stream.id] ?? 0) + events;
}

function end(socket: Socket<Stream>): void {
  if (socket.data.isOpen) {
    socket.data.isOpen = false;
    tally.open -= 1;
    tally.lost += 1;
  }
  socket.data.begun();
}

/** Resolves when the stream has begun or cannot begin. */
async function open(id: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, OPEN_WAIT_MS);
  try {
    await Bun.connect<Stream>({
      hostname: "127.0.0.1",
      port,
      data: { id, isOpen: false, begun: resolve, count: createEventCount() },
      socket: {
        open: (socket) => {
          // Smaller than the send buffer of a fresh connection, so it is taken whole.
          socket.write(bytes);
        },
        data: receive,
        close: end,
        error: end,
      },
    });
    await promise;
  } catch (cause) {
    if (tally.failed === 0) process.stderr.write(`Cannot open stream ${id}: ${String(cause)}\n`);
  }
  clearTimeout(timer);
}

async function openFromQueue(ids: Iterator<number>): Promise<void> {
  for (let next = ids.next(); next.done !== true; next = ids.next()) await open(next.value);
}

function report(): void {
  const lowestEvents = eventsOfStream.reduce((lowest, events) => Math.min(lowest, events), Number.MAX_SAFE_INTEGER);
  process.stdout.write(`${JSON.stringify({ ...tally, lowestEvents })}\n`);
}

const ids = Array.from({ length: streams }, (_, id) => id).values();
await Promise.all(Array.from({ length: opening }, () => openFromQueue(ids)));
tally.failed = streams - tally.open - tally.lost;
report();
for await (const line of console) if (line !== "") report();
process.exit(0);
