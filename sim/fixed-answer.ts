import type { Answer } from "./answer.ts";
import type { PacedWriting } from "./pacer.ts";
import type { SocketWriter } from "./socket-writer.ts";
import type { ContentScript, Step } from "./step.ts";
import { framePart, framingOf, headLines, LAST_CHUNK } from "./wire.ts";

/** The whole answer, printed once. It carries the same ids and the same date every time. */
export type FixedAnswer = {
  /** True at once when the kernel took everything; false when the peer is gone. */
  play(writer: SocketWriter): Promise<boolean> | boolean;
};

/** Fields whose effect does not depend on the request. With any other field the answer is built per request. */
const FIXABLE: ReadonlySet<string> = new Set<keyof ContentScript | "kind" | "headers" | "eventDelayMs" | "framing">([
  "kind",
  "text",
  "textDeltas",
  "thinking",
  "pings",
  "unknownEvent",
  "stopReason",
  "model",
  "usage",
  "finalUsage",
  "headers",
  "eventDelayMs",
]);

export function isFixable(step: Step): boolean {
  if (step.kind !== "message" && step.kind !== "stream") return false;
  return Object.keys(step).every((key) => FIXABLE.has(key));
}

export function printFixed(answer: Answer, pace: PacedWriting): FixedAnswer {
  const bodyBytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
  const framing = framingOf(answer);
  const head = Buffer.from(headLines(answer, bodyBytes).join(""), "latin1");
  const parts = answer.parts.map((part) => framePart(part, framing));
  const end = framing === "chunked" ? [LAST_CHUNK] : [];
  const { eventDelayMs } = answer.delivery;
  if (eventDelayMs === undefined || !answer.isStream) {
    const whole = Buffer.concat([head, ...parts, ...end]);
    return { play: (writer) => writer.write(whole) };
  }
  const first = Buffer.concat([head, parts[0] ?? head.subarray(0, 0)]);
  const last = Buffer.concat([parts.at(-1) ?? LAST_CHUNK, ...end]);
  const writes = [first, ...parts.slice(1, -1), last];
  return { play: (writer) => pace(writer, writes, eventDelayMs) };
}
