import type { Answer } from "./answer.ts";
import { encodeParts } from "./encode-parts.ts";
import type { SocketWriter } from "./socket-writer.ts";
import type { Delivery, Framing } from "./step.ts";
import { framePart, framingOf, headLines, LAST_CHUNK, statusLine } from "./wire.ts";

/**
 * complete: the peer has a whole answer and the connection lives on. closed: whole, and the script closed the
 * connection. cut: the script broke it off. gone: the peer left first.
 */
export type DeliveryEnd = "complete" | "closed" | "cut" | "gone";

/** Plays one answer on one socket with every fault that its delivery asks for. */
export async function deliver(writer: SocketWriter, answer: Answer): Promise<DeliveryEnd> {
  const end = await deliverAnswer(writer, answer);
  const { closeAfter } = answer.delivery;
  if (end !== "complete" || closeAfter === undefined) return end;
  writer.cut(closeAfter);
  return "closed";
}

async function deliverAnswer(writer: SocketWriter, answer: Answer): Promise<DeliveryEnd> {
  const { delivery } = answer;
  const parts = delivery.encoding === undefined ? answer.parts : await encodeParts(answer.parts, delivery.encoding);
  if (delivery.firstByteDelayMs !== undefined && !(await writer.pause(delivery.firstByteDelayMs))) return "gone";
  answer.onBegin?.();
  const write = cuttingWriter(writer, delivery);
  for (const status of delivery.informational ?? []) {
    if (!(await write(Buffer.from(`${statusLine(status)}\r\n`)))) return "gone";
  }
  const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const lines = headLines(answer, bodyBytes);
  if (answer.omitsBody) return (await write(latin1(lines))) ? "complete" : "gone";
  if (isPlain(answer)) return (await write(Buffer.concat([latin1(lines), ...parts]))) ? "complete" : "gone";
  if (!(await writeHead(lines, { writer, write, slowHeadersMs: delivery.slowHeadersMs }))) return "gone";
  return deliverBody({ writer, write, parts, delivery, framing: framingOf(answer) });
}

type Write = (bytes: Uint8Array) => Promise<boolean>;

type BodyJob = {
  readonly writer: SocketWriter;
  readonly write: Write;
  readonly parts: readonly Uint8Array[];
  readonly delivery: Delivery;
  readonly framing: Framing;
};

/** Head and body can go in one write: nothing is scripted to happen between them. */
function isPlain(answer: Answer): boolean {
  const { slowHeadersMs, eventDelayMs, cutAfterBytes, cutAfterEvents, stallAfterEvents } = answer.delivery;
  const scripted = [slowHeadersMs, eventDelayMs, cutAfterBytes, cutAfterEvents, stallAfterEvents];
  return !answer.isStream && framingOf(answer) === "length" && scripted.every((value) => value === undefined);
}

function latin1(lines: readonly string[]): Uint8Array {
  return Buffer.from(lines.join(""), "latin1");
}

async function writeHead(
  lines: readonly string[],
  how: { readonly writer: SocketWriter; readonly write: Write; readonly slowHeadersMs: number | undefined },
): Promise<boolean> {
  if (how.slowHeadersMs === undefined) return how.write(latin1(lines));
  for (const line of lines) {
    if (!(await how.write(latin1([line]))) || !(await how.writer.pause(how.slowHeadersMs))) return false;
  }
  return true;
}

async function deliverBody(job: BodyJob): Promise<DeliveryEnd> {
  const { writer, delivery, framing, parts } = job;
  let leftBytes = delivery.cutAfterBytes ?? Number.POSITIVE_INFINITY;
  for (let index = 0; index <= parts.length; index += 1) {
    if (leftBytes <= 0 || delivery.cutAfterEvents === index) return cut(writer, delivery);
    if (delivery.stallAfterEvents === index && !(await stall(writer, delivery))) return "gone";
    const part = parts[index];
    if (part === undefined) break;
    if (!(await pauseBefore(index, job))) return "gone";
    if (!(await job.write(framePart(part, framing, Math.min(part.length, leftBytes))))) return "gone";
    leftBytes -= part.length;
    if (leftBytes < 0) return cut(writer, delivery);
  }
  if (framing === "chunked" && !(await job.write(LAST_CHUNK))) return "gone";
  if (framing !== "close") return "complete";
  writer.cut("fin");
  return "closed";
}

async function pauseBefore(index: number, job: BodyJob): Promise<boolean> {
  const { eventDelayMs } = job.delivery;
  if (eventDelayMs === undefined || (index === 0 && job.parts.length > 1)) return true;
  return job.writer.pause(eventDelayMs);
}

async function stall(writer: SocketWriter, delivery: Delivery): Promise<boolean> {
  if (delivery.stallMs !== undefined) return writer.pause(delivery.stallMs);
  await writer.gone();
  return false;
}

function cut(writer: SocketWriter, delivery: Delivery): DeliveryEnd {
  writer.cut(delivery.cut ?? "fin");
  return "cut";
}

/** Wraps the writer with the cuts that the delivery asks for; each piece leaves in a turn of its own. */
function cuttingWriter(writer: SocketWriter, delivery: Delivery): Write {
  const nextBytes = pieceSizes(delivery);
  if (nextBytes === null) return async (bytes) => writer.write(bytes);
  return async (bytes) => {
    for (let start = 0; start < bytes.length; ) {
      const piece = bytes.subarray(start, start + nextBytes());
      if (!(await writer.write(piece)) || !(await writer.yieldTurn())) return false;
      start += piece.length;
    }
    return true;
  };
}

const MAX_RANDOM_PIECE_BYTES = 64;

function pieceSizes(delivery: Delivery): (() => number) | null {
  if (delivery.bytePerWrite === true) return () => 1;
  const { chunkBytes, randomCutSeed } = delivery;
  if (chunkBytes !== undefined) return () => Math.max(1, chunkBytes);
  if (randomCutSeed === undefined) return null;
  let state = randomCutSeed | 0;
  return () => {
    // mulberry32: small, and the same on every machine.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return 1 + (((mixed ^ (mixed >>> 14)) >>> 0) % MAX_RANDOM_PIECE_BYTES);
  };
}
