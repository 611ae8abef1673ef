/**
 * Many connections from one process, for tests that spawn it:
 *
 *   bun test/e2e/crowd-client.ts MODE PORT KEY CONNECTIONS
 *
 * slow-heads: each sends a field of its request head every second and never ends it. slow-bodies: each sends a byte of
 * its body every second. A connection that the gateway closes is opened again. streams: each asks for a streamed message and reads it.
 *
 * Prints a line of JSON when all were tried, and again for each line on stdin. Ends when stdin does.
 */
import type { Socket } from "bun";
import { messageBody } from "./message-client.ts";

const OPENING = 100;
const OPEN_WAIT_MS = 60_000;
const DRIP_MS = 1_000;
/** The crowd does not drip in step, or the gateway would rest in between. */
const SLOTS = 20;
const PROMISED_BYTES = 1_000_000;

const [mode = "", portText = "", key = "", countText = ""] = process.argv.slice(2);
const port = Number(portText);
const count = Number(countText);

type Member = { readonly slot: number; isOpen: boolean; begun: () => void; tail: string };
const tally = { open: 0, opened: 0, refused: 0, failed: 0, closedByServer: 0, events: 0, bytes: 0 };
const slots = Array.from({ length: SLOTS }, () => new Set<Socket<Member>>());

function firstBytes(): string {
  const body = messageBody({ model: "claude-sonnet-5-5", isStream: true });
  const length = mode === "streams" ? body.length : PROMISED_BYTES;
  const head = [
    "POST /v1/messages HTTP/1.1",
    "host: localhost",
    `x-api-key: ${key}`,
    "content-type: application/json",
    `content-length: ${length}`,
  ].join("\r\n");
  if (mode === "streams") return `${head}\r\n\r\n${body}`;
  return mode === "slow-bodies" ? `${head}\r\n\r\n{"model":"` : `${head}\r\n`;
}

const first = firstBytes();
const drip = mode === "slow-bodies" ? "x" : "x-slow: 1\r\n";

function receive(socket: Socket<Member>, chunk: Buffer): void {
  const member = socket.data;
  const text = chunk.toString("latin1");
  if (mode !== "streams") return;
  if (!member.isOpen) {
    if (!text.startsWith("HTTP/1.1 200")) {
      tally.refused += 1;
      socket.terminate();
      return;
    }
    begin(member);
  }
  tally.bytes += chunk.length;
  tally.events += (member.tail + text).split("\nevent: ").length - 1;
  member.tail = text.slice(-7);
}

function begin(member: Member): void {
  member.isOpen = true;
  tally.open += 1;
  member.begun();
}

function end(socket: Socket<Member>): void {
  const member = socket.data;
  member.begun();
  if (!slots[member.slot]?.delete(socket)) return;
  if (!member.isOpen) return;
  member.isOpen = false;
  tally.open -= 1;
  tally.closedByServer += 1;
  if (mode !== "streams") void open();
}

/** Resolves when the member has begun, or cannot. */
async function open(): Promise<void> {
  const slot = tally.opened % SLOTS;
  tally.opened += 1;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, OPEN_WAIT_MS);
  try {
    await Bun.connect<Member>({
      hostname: "127.0.0.1",
      port,
      data: { slot, isOpen: false, begun: resolve, tail: "" },
      socket: {
        open(socket) {
          slots[slot]?.add(socket);
          // Fewer bytes than a fresh socket takes at once.
          socket.write(first);
          if (mode !== "streams") begin(socket.data);
        },
        data: receive,
        end: (socket) => void socket.terminate(),
        close: end,
        error: end,
      },
    });
    await promise;
  } catch {
    tally.failed += 1;
  }
  clearTimeout(timer);
}

async function openInTurn(): Promise<void> {
  while (tally.opened < count) await open();
}

let turn = 0;
const dripping = setInterval(() => {
  for (const socket of slots[turn % SLOTS] ?? []) socket.write(drip);
  turn += 1;
}, DRIP_MS / SLOTS);
if (mode === "streams") clearInterval(dripping);

await Promise.all(Array.from({ length: Math.min(OPENING, count) }, openInTurn));
process.stdout.write(`${JSON.stringify(tally)}\n`);
for await (const line of console) if (line !== "") process.stdout.write(`${JSON.stringify(tally)}\n`);
process.exit(0);
