import type { CutKind, Step, StreamStep } from "../../sim/step.ts";
import { cutStream, erroredStream, type FaultRow, FIGURES, READY, served, servedStream } from "./faults-row.ts";

const TEXT = "A sentence long enough for a few deltas, and for an estimate of its tokens. ".repeat(4);

function stream(rest: Partial<StreamStep> = {}): Step {
  return { kind: "stream", text: TEXT, ...FIGURES, ...rest };
}

/** message_start, ping, content_block_start and one delta. */
const AFTER_CONTENT = 4;
const ENCODINGS = ["gzip", "br", "zstd"] as const;
const CUTS: readonly CutKind[] = ["fin", "reset", "halfClose"];
const CUT_NAMES: Readonly<Record<CutKind, string>> = { fin: "FIN", reset: "RST", halfClose: "a half-close" };

const OVERLOADED: Step = { kind: "streamError" };
const RATE_LIMITED: Step = { kind: "streamError", errorType: "rate_limit_error", message: "Slow down" };

/** One event that is not whole, and then nothing. */
const HALF_EVENT_BYTES = 700;

/** Streams that fail, before their content and after it. */
export const STREAM_ROWS: readonly FaultRow[] = [
  {
    name: "a stream that begins with overloaded_error, once",
    accounts: [{ steps: [OVERLOADED] }],
    asks: [servedStream({ attempts: 2 })],
  },
  {
    name: "a stream that begins with overloaded_error after three pings, twice",
    accounts: [{ steps: [1, 2].map((): Step => ({ kind: "streamError", pings: 3 })) }, { steps: [] }],
    asks: [servedStream({ by: 1, attempts: 3 })],
  },
  {
    name: "a stream that begins with overloaded_error on every attempt",
    accounts: [{ steps: [OVERLOADED, OVERLOADED] }],
    asks: [erroredStream("overloaded_error", { attempts: 2 })],
  },
  {
    name: "a stream that begins with rate_limit_error",
    accounts: [{ steps: [RATE_LIMITED] }, { steps: [] }],
    asks: [servedStream({ by: 1, attempts: 2 })],
    after: [{ state: "limited", forSeconds: [1.4, 2.6] }, READY],
  },
  {
    name: "a stream that begins with authentication_error",
    accounts: [{ steps: [{ kind: "streamError", errorType: "authentication_error", message: "no" }] }, { steps: [] }],
    asks: [servedStream({ by: 1, attempts: 2 })],
    after: [{ state: "dead" }, READY],
  },
  {
    name: "a stream that begins with invalid_request_error",
    accounts: [{ steps: [{ kind: "streamError", errorType: "invalid_request_error", message: "bad" }] }, { steps: [] }],
    asks: [erroredStream("invalid_request_error")],
  },
  ...ENCODINGS.map(
    (encoding): FaultRow => ({
      name: `a stream that begins with rate_limit_error, in ${encoding}`,
      accounts: [{ steps: [{ kind: "streamError", errorType: "rate_limit_error", encoding }] }, { steps: [] }],
      asks: [servedStream({ by: 1, attempts: 2 })],
      after: [{ state: "limited", forSeconds: [1.4, 2.6] }, READY],
    }),
  ),
  {
    name: "an error event after content",
    accounts: [{ steps: [stream({ errorAfterEvents: AFTER_CONTENT })] }, { steps: [] }],
    asks: [erroredStream("overloaded_error", { usage: "partial" })],
  },
  {
    name: "a rate_limit_error event after content",
    accounts: [
      {
        steps: [stream({ errorAfterEvents: AFTER_CONTENT, error: { type: "rate_limit_error", message: "Slow down" } })],
      },
      { steps: [] },
    ],
    asks: [erroredStream("rate_limit_error", { usage: "partial" }), servedStream({ by: 1 })],
    after: [{ state: "limited", forSeconds: [1.4, 2.6] }, READY],
  },
  ...ENCODINGS.map(
    (encoding): FaultRow => ({
      name: `an error event after content, in ${encoding}`,
      accounts: [{ steps: [stream({ errorAfterEvents: AFTER_CONTENT, encoding })] }, { steps: [] }],
      asks: [erroredStream("overloaded_error", { usage: "partial" })],
    }),
  ),
  ...CUTS.map(
    (cut): FaultRow => ({
      name: `a stream cut between two events by ${CUT_NAMES[cut]}`,
      accounts: [{ steps: [stream({ cutAfterEvents: AFTER_CONTENT, cut })] }, { steps: [] }],
      asks: [cutStream("own error")],
    }),
  ),
  {
    name: "a stream shorter than its Content-Length",
    accounts: [{ steps: [stream({ cutAfterEvents: AFTER_CONTENT, framing: "length" })] }, { steps: [] }],
    asks: [cutStream("own error")],
  },
  {
    name: "a stream without framing that ends without message_stop",
    accounts: [{ steps: [stream({ cutAfterEvents: AFTER_CONTENT, framing: "close" })] }, { steps: [] }],
    asks: [cutStream("own error")],
  },
  {
    name: "a stream cut inside an event",
    accounts: [{ steps: [stream({ cutAfterBytes: HALF_EVENT_BYTES })] }, { steps: [] }],
    asks: [cutStream("broken")],
  },
  ...ENCODINGS.map(
    (encoding): FaultRow => ({
      name: `a stream in ${encoding} cut after content`,
      accounts: [{ steps: [stream({ cutAfterEvents: AFTER_CONTENT, encoding })] }, { steps: [] }],
      asks: [cutStream("broken")],
    }),
  ),
  {
    name: "a stream cut before its first event, once",
    accounts: [{ steps: [stream({ cutAfterEvents: 0 })] }],
    asks: [servedStream({ attempts: 2 })],
  },
  {
    name: "a stream cut after a ping alone, twice",
    accounts: [
      { steps: [1, 2].map((): Step => ({ kind: "streamError", pings: 1, cutAfterEvents: 1 })) },
      { steps: [] },
    ],
    asks: [servedStream({ by: 1, attempts: 3 })],
  },
  {
    name: "a message cut short, once",
    accounts: [{ steps: [{ kind: "message", ...FIGURES, cutAfterBytes: 20 }] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "a message of 400 KB cut short near its end",
    accounts: [
      { steps: [{ kind: "message", text: "long ".repeat(80_000), ...FIGURES, cutAfterBytes: 390_000 }] },
      { steps: [] },
    ],
    // Too long to be held whole: the client has its beginning already.
    asks: [
      {
        client: { status: 200, words: "upstream", attempts: 1, end: "broken" },
        ledger: { outcome: "truncated", status: 200, attempts: 1, account: 0, errorType: null, usage: "none" },
      },
    ],
  },
  {
    name: "a stream of single bytes",
    accounts: [{ steps: [stream({ bytePerWrite: true, thinking: "hm", unknownEvent: true, text: "漢字 👍" })] }],
    asks: [servedStream()],
  },
  {
    name: "a stream cut at random places",
    accounts: [{ steps: [stream({ randomCutSeed: 7, chunkBytes: 7 })] }],
    asks: [servedStream()],
  },
  ...(["crlf", "cr"] as const).map(
    (lineEnding): FaultRow => ({
      name: `a stream with ${lineEnding.toUpperCase()} line ends, cut after content`,
      accounts: [{ steps: [stream({ lineEnding, cutAfterEvents: AFTER_CONTENT })] }],
      asks: [cutStream("own error")],
    }),
  ),
  {
    name: "a stream with many pings of upstream",
    accounts: [{ steps: [stream({ pings: 20, toolUse: { name: "search", input: { q: "x" } } })] }],
    asks: [servedStream()],
  },
  {
    name: "64 KB of headers",
    accounts: [{ steps: [stream({ headerPaddingBytes: 65_536 })] }],
    asks: [servedStream()],
  },
  {
    name: "headers that come line by line",
    accounts: [{ steps: [stream({ slowHeadersMs: 10 })] }],
    asks: [servedStream()],
  },
  ...(["fin", "reset"] as const).map(
    (closeAfter): FaultRow => ({
      name: `a connection closed by ${CUT_NAMES[closeAfter]} after a whole stream that promised to keep it`,
      accounts: [{ steps: [stream({ closeAfter })] }],
      asks: [servedStream(), servedStream()],
    }),
  ),
];
