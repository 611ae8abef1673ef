/** What the upstream peer answers: made once, so that the peer costs as little as it can. */

const USAGE = {
  input_tokens: 12,
  cache_creation_input_tokens: 320,
  cache_read_input_tokens: 18_400,
  cache_creation: { ephemeral_5m_input_tokens: 320, ephemeral_1h_input_tokens: 0 },
  output_tokens: 210,
  service_tier: "standard",
};
const MODEL = "claude-sonnet-4-5-20250929";
const MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL";
const SHARED_FIELDS = [
  "Date: Mon, 23 Nov 2026 12:00:00 GMT",
  "request-id: req_011CSHoEeqs5C35K2UUqR7Fy",
  "anthropic-organization-id: 0b6a5ac8-6f4c-4d0c-9a0e-6f2d3a1b9c11",
  // More than any machine asks for: what a limit does to the requests is not measured here.
  "anthropic-ratelimit-requests-limit: 400000000",
  "anthropic-ratelimit-requests-remaining: 399999999",
  "anthropic-ratelimit-requests-reset: 2026-11-23T12:00:01Z",
  "anthropic-ratelimit-tokens-limit: 240000000000",
  "anthropic-ratelimit-tokens-remaining: 239999999000",
  "anthropic-ratelimit-tokens-reset: 2026-11-23T12:00:01Z",
];
const ANSWER_BYTES = 1024;

/** A whole answer: head and a JSON message of 1,024 bytes. */
export function plainAnswer(): Uint8Array {
  const bare = messageJson("").length;
  return jsonAnswer(messageJson("n".repeat(ANSWER_BYTES - bare)));
}

/** The answer to `GET /v1/models`: one page with the one model that the benchmark asks for. */
export function modelsAnswer(): Uint8Array {
  const model = { type: "model", id: MODEL, display_name: "Claude Sonnet 4.5", created_at: "2025-09-29T00:00:00Z" };
  return jsonAnswer(JSON.stringify({ data: [model], has_more: false, first_id: MODEL, last_id: MODEL }));
}

function jsonAnswer(body: string): Uint8Array {
  const head = [
    "HTTP/1.1 200 OK",
    "Content-Type: application/json",
    ...SHARED_FIELDS,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

export type StreamAnswer = {
  /** Head, message_start and content_block_start. */
  readonly opening: Uint8Array;
  /** One content_block_delta: 150 bytes of SSE in one HTTP chunk. */
  readonly delta: Uint8Array;
  /** content_block_stop, message_delta, message_stop and the last chunk. */
  readonly closing: Uint8Array;
};

export function streamAnswer(): StreamAnswer {
  const head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream; charset=utf-8", "Cache-Control: no-cache"];
  const start = {
    id: MESSAGE_ID,
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...USAGE, output_tokens: 1 },
  };
  const opening =
    chunk(event("message_start", { message: start })) +
    chunk(event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }));
  const closing =
    chunk(event("content_block_stop", { index: 0 })) +
    chunk(
      event("message_delta", {
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 210 },
      }),
    ) +
    chunk(event("message_stop", {}));
  const heading = `${[...head, ...SHARED_FIELDS, "Transfer-Encoding: chunked"].join("\r\n")}\r\n\r\n`;
  return {
    opening: Buffer.from(heading + opening, "latin1"),
    delta: Buffer.from(chunk(deltaEvent(150)), "latin1"),
    closing: Buffer.from(`${closing}0\r\n\r\n`, "latin1"),
  };
}

function deltaEvent(sizeBytes: number): string {
  const bare = event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "" } }).length;
  const text = "w".repeat(sizeBytes - bare);
  return event("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
}

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

function messageJson(text: string): string {
  const content = [{ type: "text", text }];
  return JSON.stringify({
    id: MESSAGE_ID,
    type: "message",
    role: "assistant",
    model: MODEL,
    content,
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: USAGE,
  });
}
