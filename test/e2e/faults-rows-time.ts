import type { Step, StreamStep } from "../../sim/step.ts";
import {
  type Ask,
  cutStream,
  type FaultRow,
  FIGURES,
  refused,
  relayed,
  served,
  servedStream,
  TIMEOUT,
} from "./faults-row.ts";

/** The deadlines of the gateway that plays these rows; the guide prints them. */
export const TIME_CONFIG = {
  deadlines: {
    connectMs: 2_000,
    streamHeadersMs: 800,
    headersMs: 800,
    idleMs: 2_000,
    totalMs: 1_500,
    pingAfterMs: 300,
  },
  queue: { maxWaitMs: 6_000, maxWaiting: 100 },
} as const;

const TEXT = "A sentence long enough for a few deltas, and for an estimate of its tokens. ".repeat(4);
/** message_start, ping, content_block_start and one delta. */
const AFTER_CONTENT = 4;
/** Two ticks of the watch (500 ms each) and the silence itself fit in. */
const SILENCE_MS = 1_600;

function stream(rest: Partial<StreamStep> = {}): Step {
  return { kind: "stream", text: TEXT, ...FIGURES, ...rest };
}

const SILENCE: Step = { kind: "silence" };
const ONE_SECOND: Step = { kind: "status", status: 429, headers: { "retry-after": "1" } };
const THREE_SECONDS: Step = { kind: "status", status: 429, headers: { "retry-after": "3" } };
const FIVE_SECONDS: Step = { kind: "status", status: 429, headers: { "retry-after": "5" } };

function withPings(ask: Ask, ownPings: NonNullable<Ask["client"]["ownPings"]>): Ask {
  return { ...ask, client: { ...ask.client, ownPings } };
}

const GONE_UNANSWERED: Pick<Ask, "client" | "ledger"> = {
  client: { status: null, words: "nobody", attempts: 1, end: "broken" },
  ledger: { outcome: "client_gone", status: null, attempts: 1, account: 0, errorType: null, usage: "none" },
};

/** An event that is written in two halves with silence between them. */
const HALVES: readonly string[] = [
  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('event: message_start\ndata: {"type":"message_start","message":{"type":"message","usage":{"input_tokens":25,"output_tokens":1}}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","in')}`,
  `${chunk('dex":0,"delta":{"type":"text_delta","text":"late"}}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":1500}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n')}0\r\n\r\n`,
];

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** Silence, waiting, and clients that leave. */
export const TIME_ROWS: readonly FaultRow[] = [
  {
    name: "silence before the headers of a stream, one account",
    accounts: [{ steps: [SILENCE, SILENCE] }],
    asks: [{ isStream: true, ...refused(504, TIMEOUT, { attempts: 2 }) }],
  },
  {
    name: "silence before the headers, once",
    accounts: [{ steps: [SILENCE] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "silence before the headers of a stream, twice, two accounts",
    accounts: [{ steps: [SILENCE, SILENCE] }, { steps: [] }],
    asks: [servedStream({ by: 1, attempts: 3 })],
  },
  {
    name: "silence between the headers and the first event, once",
    accounts: [{ steps: [stream({ stallAfterEvents: 0 })] }],
    asks: [servedStream({ attempts: 2 })],
  },
  {
    name: "silence inside a message, once",
    accounts: [{ steps: [{ kind: "message", ...FIGURES, framing: "chunked", stallAfterEvents: 0 }] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "silence after content until our deadline",
    accounts: [{ steps: [stream({ stallAfterEvents: AFTER_CONTENT })] }, { steps: [] }],
    asks: [withPings(cutStream("own error"), { atLeast: 1 })],
  },
  {
    name: "silence after content in gzip until our deadline",
    accounts: [{ steps: [stream({ stallAfterEvents: AFTER_CONTENT, encoding: "gzip" })] }, { steps: [] }],
    asks: [withPings(cutStream("broken"), "none")],
  },
  {
    name: "silence between two events, then the rest",
    accounts: [{ steps: [stream({ stallAfterEvents: AFTER_CONTENT, stallMs: SILENCE_MS })] }],
    asks: [withPings(servedStream(), { atLeast: 1 })],
  },
  {
    name: "silence inside an event, then the rest",
    accounts: [{ steps: [{ kind: "raw", bytes: HALVES, partDelayMs: SILENCE_MS, end: "keepOpen" }] }],
    asks: [withPings(servedStream(), "none")],
  },
  ...(["gzip", "br", "zstd"] as const).map(
    (encoding): FaultRow => ({
      name: `silence between two events in ${encoding}, then the rest`,
      accounts: [{ steps: [stream({ stallAfterEvents: AFTER_CONTENT, stallMs: SILENCE_MS, encoding })] }],
      asks: [withPings(servedStream(), "none")],
    }),
  ),
  {
    name: "a stream that is slow but never silent for long",
    accounts: [{ steps: [stream({ eventDelayMs: 250, pings: 3 })] }],
    asks: [withPings(servedStream(), "none")],
  },
  {
    name: "429 for a second on the only account: it is waited for",
    accounts: [{ steps: [ONE_SECOND] }],
    asks: [queued(served({ attempts: 2 }), [500, 1_500])],
  },
  {
    name: "429 for five seconds on the only account, then another request",
    accounts: [{ steps: [FIVE_SECONDS] }],
    asks: [relayed(429, "rate_limit_error"), queued(served(), [4_000, 5_900])],
  },
  {
    name: "429 for one second and for three on two accounts: the shorter one is waited for",
    accounts: [{ steps: [THREE_SECONDS] }, { steps: [ONE_SECOND] }],
    asks: [queued(served({ by: 1, attempts: 3 }), [500, 1_500])],
    after: [{ state: "limited", forSeconds: [0, 3] }, { state: "ready" }],
  },
  {
    name: "the client leaves while it waits in the queue",
    accounts: [{ steps: [FIVE_SECONDS] }],
    asks: [
      relayed(429, "rate_limit_error"),
      {
        leaves: "in the queue",
        client: { status: null, words: "nobody", attempts: 0, end: "broken" },
        ledger: {
          outcome: "client_gone",
          status: null,
          attempts: 0,
          account: null,
          errorType: null,
          usage: "none",
          queuedMs: [1, 4_900],
        },
      },
    ],
    after: [{ state: "limited", forSeconds: [0, 5] }],
  },
  {
    name: "the client leaves before the headers",
    accounts: [{ steps: [SILENCE] }],
    asks: [{ leaves: "before headers", ...GONE_UNANSWERED }],
  },
  {
    name: "the client leaves before the headers of a stream",
    accounts: [{ steps: [SILENCE] }],
    asks: [{ isStream: true, leaves: "before headers", ...GONE_UNANSWERED }],
  },
  {
    name: "the client leaves in the middle of a stream",
    accounts: [{ steps: [stream({ stallAfterEvents: AFTER_CONTENT })] }],
    asks: [
      {
        isStream: true,
        leaves: "mid-stream",
        client: { status: 200, words: "upstream", attempts: 1, end: "broken", hasStop: false },
        ledger: { outcome: "client_gone", status: 200, attempts: 1, account: 0, errorType: null, usage: "partial" },
      },
    ],
  },
];

function queued(ask: Ask, queuedMs: readonly [number, number]): Ask {
  return { ...ask, ledger: { ...ask.ledger, queuedMs } };
}
