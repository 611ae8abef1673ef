import type { ApiError, GivenError } from "./api-error.ts";
import { apiError, errorBody } from "./api-error.ts";
import type { StreamEvent } from "./message.ts";
import { errorEvent, printEvent } from "./sse-print.ts";
import type { Delivery } from "./step.ts";
import { headerPairs } from "./step.ts";

export type HeaderPair = readonly [name: string, value: string];

/** One whole HTTP answer and how it is to be delivered. */
export type Answer = {
  readonly status: number;
  /** Without framing headers. */
  readonly headers: readonly HeaderPair[];
  /** One part per event; one part in all without a stream. */
  readonly parts: readonly Uint8Array[];
  readonly isStream: boolean;
  readonly delivery: Delivery;
  /** True for HEAD: the headers promise a body that does not come. */
  readonly omitsBody: boolean;
  /** Called when the first byte is about to be written. */
  readonly onBegin?: () => void;
};

export type AnswerFrame = {
  readonly requestId: string;
  /** Absent for requests without a known credential. */
  readonly organization: string | null;
  readonly nowMs: number;
  readonly method: string;
  /** e.g. rate limits. */
  readonly extraHeaders: readonly HeaderPair[];
};

const OVERLOADED: ApiError = { type: "overloaded_error", message: "Overloaded" };

export function jsonAnswer(
  frame: AnswerFrame,
  content: { readonly status?: number; readonly body: object | string; readonly delivery?: Delivery },
): Answer {
  const text = typeof content.body === "string" ? content.body : JSON.stringify(content.body);
  return {
    status: content.status ?? 200,
    headers: frameHeaders(frame, [["content-type", "application/json"]], content.delivery),
    parts: [Buffer.from(text)],
    isStream: false,
    delivery: content.delivery ?? {},
    omitsBody: frame.method === "HEAD",
  };
}

export function errorAnswer(
  frame: AnswerFrame,
  failure: GivenError & { readonly status: number; readonly delivery?: Delivery },
): Answer {
  const body = errorBody(apiError(failure.status, failure), frame.requestId);
  return jsonAnswer(frame, { status: failure.status, body, delivery: failure.delivery ?? {} });
}

export function streamAnswer(frame: AnswerFrame, events: readonly StreamEvent[], delivery: Delivery): Answer {
  const { errorAfterEvents, lineEnding } = delivery;
  const said =
    errorAfterEvents === undefined
      ? events
      : [...events.slice(0, errorAfterEvents), errorEvent(delivery.error ?? OVERLOADED)];
  const own: readonly HeaderPair[] = [
    ["content-type", "text/event-stream; charset=utf-8"],
    ["cache-control", "no-cache"],
  ];
  return {
    status: 200,
    headers: frameHeaders(frame, own, delivery),
    parts: said.map((event) => printEvent(event, lineEnding)),
    isStream: true,
    delivery,
    omitsBody: frame.method === "HEAD",
  };
}

/** Scripted headers replace those of the same name, so that a script can say anything. */
function frameHeaders(frame: AnswerFrame, own: readonly HeaderPair[], delivery: Delivery = {}): readonly HeaderPair[] {
  const scripted = headerPairs(delivery.headers);
  const replaced = new Set(scripted.map(([name]) => name.toLowerCase()));
  const base: HeaderPair[] = [["Date", new Date(frame.nowMs).toUTCString()], ...own, ["request-id", frame.requestId]];
  if (frame.organization !== null) base.push(["anthropic-organization-id", frame.organization]);
  base.push(...frame.extraHeaders);
  if (delivery.encoding !== undefined) base.push(["content-encoding", delivery.encoding]);
  return [...base.filter(([name]) => !replaced.has(name.toLowerCase())), ...scripted, ...padding(delivery)];
}

const PADDING_PER_HEADER_BYTES = 4096;

function padding(delivery: Delivery): readonly HeaderPair[] {
  const totalBytes = delivery.headerPaddingBytes ?? 0;
  const count = Math.ceil(totalBytes / PADDING_PER_HEADER_BYTES);
  return Array.from({ length: count }, (_, index): HeaderPair => {
    const leftBytes = totalBytes - index * PADDING_PER_HEADER_BYTES;
    const name = `x-padding-${index}`;
    const valueBytes = Math.max(1, Math.min(leftBytes, PADDING_PER_HEADER_BYTES) - name.length - ": \r\n".length);
    return [name, "p".repeat(valueBytes)];
  });
}
