/** Header fields of a scripted answer; the pair form keeps order, case and repetitions. */
export type HeaderScript = Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [key: string]: JsonValue };

/** Usage fields in upstream's spelling. Given fields replace computed ones; the others stay. */
export type UsageScript = {
  readonly input_tokens?: number;
  readonly cache_creation_input_tokens?: number;
  readonly cache_read_input_tokens?: number;
  readonly cache_creation?: {
    readonly ephemeral_5m_input_tokens: number;
    readonly ephemeral_1h_input_tokens: number;
  };
  readonly output_tokens?: number;
  readonly server_tool_use?: { readonly web_search_requests: number; readonly web_fetch_requests?: number };
  readonly service_tier?: string;
};

/** What the simulated model says. Every field has a default: `{}` is one short text block. */
export type ContentScript = {
  readonly text?: string;
  /** Number of text_delta events that carry the text. Default 4, at least 1. */
  readonly textDeltas?: number;
  /** Adds a thinking block with a signature before the text. */
  readonly thinking?: string;
  /** Adds a tool_use block after the text: `true` calls the first tool of the request, an object names one. */
  readonly toolUse?: true | { readonly name: string; readonly input: JsonObject };
  /** Number of ping events after message_start, and one more between blocks when it is not 0. Default 1. */
  readonly pings?: number;
  /** Adds an event type that no client knows yet after the first content block. */
  readonly unknownEvent?: boolean;
  /** Default: "end_turn", or "tool_use" with toolUse. */
  readonly stopReason?: string;
  /** Default: the model of the request. */
  readonly model?: string;
  /** Usage of message_start, or of the whole answer without streaming. */
  readonly usage?: UsageScript;
  /** Corrected cumulative usage of message_delta, e.g. `{ input_tokens: 10682 }` after 2679 at the start. */
  readonly finalUsage?: UsageScript;
};

export type CutKind = "fin" | "reset" | "halfClose";
export type ContentEncoding = "gzip" | "br" | "zstd";
export type Framing = "chunked" | "length" | "close";

/** How the bytes of an answer reach the peer. Absent fields change nothing. */
export type Delivery = {
  /** Added to (or, by the same name, replacing) the headers of the answer. */
  readonly headers?: HeaderScript;
  /** Default: "chunked" for streams, "length" for the rest. */
  readonly framing?: Framing;
  /** Content-encoding; a stream is flushed after every event. */
  readonly encoding?: ContentEncoding;
  /** Adds headers `x-padding-N` of about this many bytes together. */
  readonly headerPaddingBytes?: number;
  /** Pause after each header line, written one by one. */
  readonly slowHeadersMs?: number;
  /** Pause before the first byte of the answer. */
  readonly firstByteDelayMs?: number;
  /** Pause before every event but the first; without a stream, before the body. */
  readonly eventDelayMs?: number;
  /** Interim answers (e.g. 100, 103) that go before the real one. */
  readonly informational?: readonly number[];
  /** Every byte of the answer, headers included, is a write of its own. */
  readonly bytePerWrite?: boolean;
  /** Writes of at most this many bytes, cut without regard to headers, events or characters. */
  readonly chunkBytes?: number;
  /** Writes cut at random places (1..64 bytes) that depend on this seed alone. */
  readonly randomCutSeed?: number;
  /** The stream says `event: error` after this many events and then ends as HTTP wants it. */
  readonly errorAfterEvents?: number;
  /** The error of `errorAfterEvents`. Default overloaded_error "Overloaded". */
  readonly error?: { readonly type: string; readonly message: string };
  /** Cut the connection after this many body bytes (encoded, before chunk framing). 0: right after the headers. */
  readonly cutAfterBytes?: number;
  /** Cut the connection after this many events. */
  readonly cutAfterEvents?: number;
  /** Default "fin". */
  readonly cut?: CutKind;
  /** Closes after the whole answer although its headers promised to keep the connection: the race of every pool. */
  readonly closeAfter?: CutKind;
  /** Silence of `stallMs` (default: until the peer leaves) after this many events. */
  readonly stallAfterEvents?: number;
  readonly stallMs?: number;
  /** Line ending of SSE. Default "lf". */
  readonly lineEnding?: "lf" | "crlf" | "cr";
};

/** The path, without query, that a step waits for. Default: everything under /v1 but token counting and models. */
type Addressed = { readonly path?: string };

/** JSON when the request does not ask for a stream, SSE when it does. The default of every account. */
export type AutoStep = { readonly kind: "auto" } & ContentScript & Delivery & Addressed;
/** Plain JSON, whatever the request asked for. */
export type MessageStep = { readonly kind: "message" } & ContentScript & Delivery & Addressed;
/** Server-sent events, whatever the request asked for. */
export type StreamStep = { readonly kind: "stream" } & ContentScript & Delivery & Addressed;

/** Any status with the API's error body. */
export type StatusStep = {
  readonly kind: "status";
  readonly status: number;
  /** Default: the type that the API uses with this status. */
  readonly errorType?: string;
  readonly message?: string;
  /** Replaces the whole body (latin1), e.g. an HTML page of an edge proxy. Set content-type by `headers`. */
  readonly body?: string;
  /** Default true. False answers as soon as the head is read, then closes: what an edge does with a 413. */
  readonly waitForBody?: boolean;
} & Delivery &
  Addressed;

/** 200, then `event: error` as the first event that is not a ping. */
export type StreamErrorStep = {
  readonly kind: "streamError";
  readonly errorType?: string;
  readonly message?: string;
  /** Pings before the error. Default 0. */
  readonly pings?: number;
} & Delivery &
  Addressed;

/** Exact bytes, for what no HTTP server would send. */
export type RawStep = {
  readonly kind: "raw";
  /** One write per string. */
  readonly bytes: string | readonly string[];
  /** Of `bytes`. Default "latin1". */
  readonly bytesEncoding?: "latin1" | "utf8" | "base64";
  readonly partDelayMs?: number;
  /** After the last byte. Default "fin"; "keepOpen" waits for the next request. */
  readonly end?: CutKind | "keepOpen";
  /** Default true: the whole request is read first. */
  readonly waitForBody?: boolean;
} & Addressed;

/** Closes without an answer: by FIN (refuse) or by RST (reset). */
export type RefuseStep = { readonly kind: "refuse"; readonly waitForBody?: boolean } & Addressed;
export type ResetStep = { readonly kind: "reset"; readonly waitForBody?: boolean } & Addressed;
/** Never answers; the connection stays open until the peer leaves. */
export type SilenceStep = { readonly kind: "silence" } & Addressed;

/** One scripted answer. Holds JSON values only, so that a script file can carry it. */
export type Step =
  | AutoStep
  | MessageStep
  | StreamStep
  | StatusStep
  | StreamErrorStep
  | RawStep
  | RefuseStep
  | ResetStep
  | SilenceStep;

export function headerPairs(script: HeaderScript | undefined): readonly (readonly [string, string])[] {
  if (script === undefined) return [];
  return isPairs(script) ? script : Object.entries(script);
}

function isPairs(script: HeaderScript): script is readonly (readonly [string, string])[] {
  return Array.isArray(script);
}
