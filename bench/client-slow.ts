/**
 * Slow connections, as an attacker or a bad network makes them: a request that never gets complete, one line or a few
 * bytes at a time.
 *
 *   bun bench/client-slow.ts --port P --key K --connections N --opening W --line-ms L --part headers|body
 *
 * A connection that the server closes is opened again, at most twice N in total. Prints {"open":N,...} when the first
 * N were tried, and again for each line on stdin. Ends when stdin does.
 */
import type { Socket } from "bun";
import { startEventClock } from "./event-clock.ts";
import { numberFlag, textFlag } from "./number-flags.ts";
import { requestHead } from "./wire-request.ts";

const SLOTS = 200;
/** Long enough for the slowest drip: the body never ends within the benchmark. */
const PROMISED_BODY_BYTES = 100_000;

const port = numberFlag(process.argv, "port");
const connections = numberFlag(process.argv, "connections");
const opening = numberFlag(process.argv, "opening");
const isBody = textFlag(process.argv, "part") === "body";
const head = requestHead(textFlag(process.argv, "key"), PROMISED_BODY_BYTES);
const firstBytes = isBody ? `${head}\r\n{"model":"` : head.slice(0, head.indexOf("\r\n") + 2);
const drip = isBody ? "x" : "x-slow: 1\r\n";

type Slow = { slot: number; openedAtMs: number };
const tally = { open: 0, peakOpen: 0, opened: 0, closedByServer: 0, failed: 0, longestMs: 0 };
const socketsOfSlot = Array.from({ length: SLOTS }, () => new Set<Socket<Slow>>());

function end(socket: Socket<Slow>): void {
  if (!socketsOfSlot[socket.data.slot]?.delete(socket)) return;
  tally.open -= 1;
  tally.closedByServer += 1;
  tally.longestMs = Math.max(tally.longestMs, Math.round(performance.now() - socket.data.openedAtMs));
  if (tally.opened < connections * 2) void open();
}

async function open(): Promise<void> {
  const slot = tally.opened % SLOTS;
  tally.opened += 1;
  try {
    await Bun.connect<Slow>({
      hostname: "127.0.0.1",
      port,
      data: { slot, openedAtMs: performance.now() },
      socket: {
        open: (socket) => {
          socketsOfSlot[slot]?.add(socket);
          tally.open += 1;
          tally.peakOpen = Math.max(tally.peakOpen, tally.open);
          socket.write(firstBytes);
        },
        data: () => undefined,
        close: end,
        error: end,
        end: (socket) => {
          socket.terminate();
        },
      },
    });
  } catch (cause) {
    if (tally.failed === 0) process.stderr.write(`Cannot open a slow connection: ${String(cause)}\n`);
    tally.failed += 1;
  }
}

function report(): void {
  process.stdout.write(`${JSON.stringify(tally)}\n`);
}

async function openInTurn(): Promise<void> {
  while (tally.opened < connections) await open();
}

startEventClock({
  intervalMs: numberFlag(process.argv, "line-ms"),
  slots: SLOTS,
  onSlot: (slot) => {
    for (const socket of socketsOfSlot[slot] ?? []) socket.write(drip);
  },
});
await Promise.all(Array.from({ length: opening }, openInTurn));
report();
for await (const line of console) if (line !== "") report();
process.exit(0);
