/** Events of a small streamed message, as upstream writes them. */
function event(name: string, data: Record<string, unknown>): string {
  return `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
}

export const PING: string = event("ping", {});
export const MESSAGE_START: string = event("message_start", {
  message: { id: "msg_1", model: "claude-sonnet-4-5-20250929", usage: { input_tokens: 10, output_tokens: 1 } },
});
export const BLOCK_START: string = event("content_block_start", {
  index: 0,
  content_block: { type: "text", text: "" },
});
export const DELTA: string = event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "hello" } });
export const MESSAGE_DELTA: string = event("message_delta", {
  delta: { stop_reason: "end_turn" },
  usage: { output_tokens: 7 },
});
export const MESSAGE_STOP: string = event("message_stop", {});

export const WHOLE_STREAM: readonly string[] = [
  MESSAGE_START,
  BLOCK_START,
  PING,
  DELTA,
  DELTA,
  MESSAGE_DELTA,
  MESSAGE_STOP,
];

export function errorEvent(type: string, message = "scripted"): string {
  return event("error", { error: { type, message } });
}

export const SSE_HEADERS: readonly (readonly [string, string])[] = [
  ["Content-Type", "text/event-stream; charset=utf-8"],
  ["request-id", "req_upstream"],
];
