/**
 * The upstream peer: a raw server that reads whole requests and answers prebuilt bytes, JSON or a stream, as the
 * body's `"stream"` says. It is a process of its own, the same one behind nginx and behind the gateway.
 *
 *   bun bench/peer.ts --interval-ms 10 --events 100000      prints {"port":N}
 */
import type { Socket } from "bun";
import { startEventClock } from "./event-clock.ts";
import { numberFlag } from "./number-flags.ts";
import { modelsAnswer, plainAnswer, streamAnswer } from "./wire-answer.ts";

type Connection = {
  /** Bytes of a head that is not complete. */
  head: Buffer;
  bodyLeftBytes: number;
  /** The end of the body so far: `"stream":true}` is there. */
  tail: Buffer;
  /** What the kernel did not take. Events that are due meanwhile are left out. */
  unsent: Uint8Array | null;
  stream: { slot: number; eventsLeft: number } | null;
};

const NOTHING = Buffer.alloc(0);
const TAIL_BYTES = 32;
const MAX_HEAD_BYTES = 65_536;
const MAX_SLOTS = 1000;

const intervalMs = numberFlag(process.argv, "interval-ms");
const eventsPerStream = numberFlag(process.argv, "events");
const slots = Math.min(MAX_SLOTS, Math.max(1, Math.floor(intervalMs)));

const plain = plainAnswer();
const streamed = streamAnswer();
const models = modelsAnswer();
const streamsOfSlot = Array.from({ length: slots }, () => new Set<Socket<Connection>>());
let nextSlot = 0;
let lastHead = "";
let lastBodyBytes = 0;

function send(socket: Socket<Connection>, bytes: Uint8Array): void {
  const taken = Math.max(0, socket.write(bytes));
  socket.data.unsent = taken < bytes.length ? bytes.subarray(taken) : null;
}

function leaveSlot(socket: Socket<Connection>): void {
  const { stream } = socket.data;
  if (stream === null) return;
  streamsOfSlot[stream.slot]?.delete(socket);
  socket.data.stream = null;
}

function answer(socket: Socket<Connection>): void {
  const isStream = socket.data.tail.includes('"stream":true');
  socket.data.tail = NOTHING;
  if (!isStream) {
    send(socket, plain);
    return;
  }
  const slot = nextSlot;
  nextSlot = (nextSlot + 1) % slots;
  socket.data.stream = { slot, eventsLeft: eventsPerStream };
  streamsOfSlot[slot]?.add(socket);
  send(socket, streamed.opening);
}

/** @throws Error for a body without a length: neither nginx nor the gateway may send one */
function bodyBytesOf(head: string): number {
  // wrk sends the same head over and over, and comparing costs less than searching.
  if (head === lastHead) return lastBodyBytes;
  const length = /\r\ncontent-length: *(\d+)/iu.exec(head)?.[1];
  if (length === undefined && /\r\ntransfer-encoding:/iu.test(head))
    throw new Error("Cannot read the request: chunked");
  lastHead = head;
  lastBodyBytes = Number(length ?? 0);
  return lastBodyBytes;
}

/** Takes one head off `bytes`, or keeps them until more arrive. */
function readHead(connection: Connection, bytes: Buffer): Buffer | null {
  const all = connection.head.length === 0 ? bytes : Buffer.concat([connection.head, bytes]);
  const endsAt = all.indexOf("\r\n\r\n");
  if (endsAt === -1) {
    if (all.length > MAX_HEAD_BYTES) throw new Error(`Cannot read the head: more than ${MAX_HEAD_BYTES} bytes`);
    connection.head = all;
    return null;
  }
  connection.head = NOTHING;
  connection.bodyLeftBytes = bodyBytesOf(all.toString("latin1", 0, endsAt));
  return all.subarray(endsAt + 4);
}

// hot path
function receive(socket: Socket<Connection>, chunk: Buffer): void {
  const connection = socket.data;
  let bytes: Buffer | null = chunk;
  while (bytes !== null && bytes.length > 0) {
    if (connection.bodyLeftBytes === 0) {
      bytes = readHead(connection, bytes);
      if (bytes === null) break;
      // Without a body it can only be the list of models, which the gateway asks for when an account is added.
      if (connection.bodyLeftBytes === 0) send(socket, models);
      continue;
    }
    const part: Buffer = bytes.subarray(0, connection.bodyLeftBytes);
    bytes = bytes.subarray(part.length);
    connection.bodyLeftBytes -= part.length;
    const tail = part.length >= TAIL_BYTES ? part : Buffer.concat([connection.tail, part]);
    connection.tail = Buffer.from(tail.subarray(-TAIL_BYTES));
    if (connection.bodyLeftBytes === 0) answer(socket);
  }
}

function writeEvent(socket: Socket<Connection>): void {
  const { stream, unsent } = socket.data;
  if (stream === null || unsent !== null) return;
  stream.eventsLeft -= 1;
  if (stream.eventsLeft >= 0) {
    send(socket, streamed.delta);
    return;
  }
  leaveSlot(socket);
  send(socket, streamed.closing);
}

startEventClock({
  intervalMs,
  slots,
  onSlot: (slot) => {
    for (const socket of streamsOfSlot[slot] ?? []) writeEvent(socket);
  },
});

const listener = Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open: (socket) => {
      socket.data = { head: NOTHING, bodyLeftBytes: 0, tail: NOTHING, unsent: null, stream: null };
      socket.setNoDelay(true);
    },
    data: receive,
    drain: (socket) => {
      if (socket.data.unsent !== null) send(socket, socket.data.unsent);
    },
    close: leaveSlot,
    error: (socket) => {
      leaveSlot(socket);
      socket.terminate();
    },
  },
});
process.stdout.write(`${JSON.stringify({ port: listener.port })}\n`);
