import { describe, expect, test } from "bun:test";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { createEventScanner } from "./event-scanner.ts";
import type { EventData } from "./event-state.ts";

const utf8 = new TextEncoder();

function scan(chunks: readonly Uint8Array[]) {
  const captured: EventData[] = [];
  const scanner = createEventScanner((event) => captured.push(event));
  for (const chunk of chunks) scanner.feed(chunk);
  const { firstEvent, isAtEventBoundary, hasEnded, lastError, contentStarted, textBytes } = scanner;
  return { captured, firstEvent, isAtEventBoundary, hasEnded, lastError, contentStarted, textBytes };
}

function scanText(stream: string) {
  return scan([utf8.encode(stream)]);
}

function event(name: string, data: unknown, lineEnd = "\n"): string {
  return `event: ${name}${lineEnd}data: ${JSON.stringify(data)}${lineEnd}${lineEnd}`;
}

const START = event("message_start", { type: "message_start", message: { model: "m", usage: { input_tokens: 1 } } });
const TEXT = event("content_block_delta", {
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text: "Grüße 你好" },
});
const DELTA = event("message_delta", { type: "message_delta", usage: { output_tokens: 9 } });
const STOP = event("message_stop", { type: "message_stop" });
const PING = event("ping", { type: "ping" });
const ERROR = event("error", { type: "error", error: { type: "overloaded_error", message: "Overloaded" } });

test("reads a whole stream", () => {
  expect(scanText(PING + START + TEXT + PING + DELTA + STOP)).toEqual({
    captured: [
      { kind: "message_start", data: { type: "message_start", message: { model: "m", usage: { input_tokens: 1 } } } },
      { kind: "message_delta", data: { type: "message_delta", usage: { output_tokens: 9 } } },
    ],
    firstEvent: { kind: "content" },
    isAtEventBoundary: true,
    hasEnded: true,
    lastError: null,
    contentStarted: true,
    textBytes: 14,
  });
});

test("works without a listener", () => {
  const scanner = createEventScanner();
  scanner.feed(utf8.encode(START));
  expect(scanner.firstEvent).toEqual({ kind: "content" });
});

/** Lines and events that a stream may be made of, good and hostile. */
const line = fc.oneof(
  fc.constantFrom("event: message_start", "event:message_delta", "event: error", "event: ping", "event", "event: x\0y"),
  fc.constantFrom("data", "data:", "data: ", "data:  two", "data: [DONE]", 'data: {"type":"message_stop"}', "data: {"),
  fc.constantFrom(
    ": comment",
    ":",
    "id: 1\0",
    "retry: 5",
    "unknown: x",
    "dat: x",
    "datax: y",
    "eventx",
    " data: x",
    "Data: x",
  ),
  fc.constantFrom("event: content_block_delta", 'data: {"type":"error","error":{"type":"api_error"}}', "data: é你𝄞"),
  fc.constantFrom("", "", "", "\ufeff"),
);
const whole = fc.constantFrom(START, TEXT, DELTA, STOP, PING, ERROR);
const lineEnd = fc.constantFrom("\n", "\r", "\r\n");
const stream = fc
  .tuple(
    fc.constantFrom("", "", "\ufeff"),
    fc.array(
      fc.oneof(
        fc.tuple(line, lineEnd).map(([text, end]) => text + end),
        fc.tuple(whole, lineEnd).map(([text, end]) => text.replaceAll("\n", end)),
      ),
      { maxLength: 12 },
    ),
    line,
  )
  .map(([mark, parts, tail]) => mark + parts.join("") + tail);

describe("any stream", () => {
  test("gives the same however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          stream.map((text) => utf8.encode(text)),
          fc.uint8Array(),
        ),
        fc.array(fc.nat(30)),
        (bytes, sizes) => {
          const pieces: Uint8Array[] = [];
          let from = 0;
          for (const size of [...sizes, bytes.length]) {
            pieces.push(bytes.slice(from, from + size));
            from += size;
          }
          const expected = scan([bytes]);
          expect(scan(pieces)).toEqual(expected);
          expect(scan(Array.from(bytes, (byte) => new Uint8Array([byte])))).toEqual(expected);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("holds the events that eventsource-parser finds", () => {
    fc.assert(
      fc.property(stream, (text) => {
        fc.pre(!isRenamed(text));
        const { captured, firstEvent, hasEnded, lastError } = scanText(text);
        const firstKind = firstEvent?.kind ?? null;
        expect<unknown>({ captured, firstKind, hasEnded, errorType: lastError?.type ?? null }).toEqual(byLibrary(text));
      }),
      { numRuns: 3000 },
    );
  });

  test("is at an event boundary exactly behind a blank line", () => {
    fc.assert(
      fc.property(stream, (text) => {
        const lines = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
        const isBlank = lines === "\n" || lines.endsWith("\n\n");
        expect(scanText(text).isAtEventBoundary).toBe(isBlank);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Two names and data: the scanner may have dropped the data under the first name. Nobody sends that. */
function isRenamed(text: string): boolean {
  const events = text
    .replace(/^\ufeff/, "")
    .replace(/\r\n?/g, "\n")
    .split("\n\n");
  return events.some((lines) => (lines.match(/^event(:|$)/gm) ?? []).length > 1 && /^data(:|$)/m.test(lines));
}

/** What the scanner should say, by the library's events. */
function byLibrary(text: string) {
  const events: { kind: string; data: { error?: { type?: string } } | null }[] = [];
  const parser = createParser({
    onEvent: ({ event: name, data }) => {
      const parsed = parse(data);
      events.push({ kind: name || (parsed?.type ?? ""), data: parsed });
    },
  });
  parser.feed(text);
  const stop = events.findIndex(({ kind }) => kind === "message_stop");
  const before = stop === -1 ? events : events.slice(0, stop);
  const first = events.find(({ kind }) => kind !== "ping");
  const error = before.findLast(({ kind }) => kind === "error");
  return {
    captured: before.filter(({ kind, data }) => CAPTURED.includes(kind) && data !== null),
    firstKind: first === undefined ? null : first.kind === "error" ? "error" : "content",
    hasEnded: stop !== -1,
    errorType: error === undefined ? null : (error.data?.error?.type ?? "api_error"),
  };
}

const CAPTURED = ["message_start", "message_delta", "error"];

function parse(data: string) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

test.each([
  ["nothing", "", null],
  ["comments", ": hi\n\n:\n\n", null],
  ["pings", PING.repeat(3), null],
  ["an event without data", "event: message_start\n\n", null],
  ["an unfinished event", START.slice(0, -1), null],
  ["content", PING + START, { kind: "content" }],
  ["an unknown event", event("new_event", {}), { kind: "content" }],
  ["an unnamed event", "data: [DONE]\n\n", { kind: "content" }],
  ["an unnamed ping", 'data: {"type":"ping"}\n\n', null],
  ["an error", PING + ERROR, { kind: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
  [
    "an error that is no JSON",
    "event: error\ndata: oops\n\n",
    { kind: "error", error: { type: "api_error", message: "" } },
  ],
  [
    "an unnamed error",
    'data: {"type":"error","error":{}}\n\n',
    { kind: "error", error: { type: "api_error", message: "" } },
  ],
])("finds the first event of %s", (_name, text, expected) => {
  expect(scanText(text).firstEvent).toEqual(expected as never);
});

test("notes an error after content, and that content came first", () => {
  expect(scanText(START + TEXT + ERROR)).toMatchObject({
    firstEvent: { kind: "content" },
    contentStarted: true,
    lastError: { type: "overloaded_error" },
    hasEnded: false,
  });
});

test("counts the text of unnamed deltas as well", () => {
  expect(scanText(TEXT.replace(/^event.*\n/, "")).textBytes).toBe(14);
});

test("does not take [DONE] for the end", () => {
  expect(scanText(`${START}data: [DONE]\n\n`).hasEnded).toBe(false);
});

test("ignores what comes after message_stop, also when that comes first", () => {
  expect(scanText(STOP + START + ERROR + TEXT)).toMatchObject({ captured: [], hasEnded: true, lastError: null });
});

test("reports both of two message_start", () => {
  expect(scanText(START + START).captured).toHaveLength(2);
});

test("reads data that is spread over lines, or comes before its name", () => {
  const lines = 'data: {"type":\ndata:"message_delta"\ndata\nevent: message_delta\ndata: ,"n":1}\n\n';
  expect(scanText(lines).captured).toEqual([{ kind: "message_delta", data: { type: "message_delta", n: 1 } }]);
});

test("captures nothing when the name changes after data that was not kept", () => {
  const { captured, firstEvent } = scanText("event: ping\ndata: {\nevent: message_start\ndata: }\n\n");
  expect({ captured, firstEvent }).toEqual({ captured: [], firstEvent: { kind: "content" } });
});

test("cannot be made to see an event by a newline in model text", () => {
  const data = { type: "content_block_delta", delta: { type: "text_delta", text: `\n\n${STOP}${ERROR}` } };
  expect(scanText(event("content_block_delta", data))).toMatchObject({ hasEnded: false, lastError: null });
});

describe("bounds", () => {
  const lineOf = (bytes: number) => `data: ${" ".repeat(bytes - 2)}{}\n`;

  test("gives up on an event with a line over 256 KiB, and reads the next", () => {
    const kept = `event: message_delta\n${lineOf(256 * 1024)}\n`;
    expect(scanText(kept).captured).toEqual([{ kind: "message_delta", data: {} }]);
    const lost = `event: message_delta\n${lineOf(256 * 1024 + 1)}\n`;
    expect(scanText(lost + DELTA)).toMatchObject({
      captured: [{ kind: "message_delta", data: { usage: { output_tokens: 9 } } }],
      isAtEventBoundary: true,
    });
  });

  test("gives up on an event over 1 MiB, and does not wait for its end", () => {
    const lines = `data: ${" ".repeat(200_000)}\n`.repeat(6);
    expect(scanText(`event: message_start\n${lines}`)).toMatchObject({ captured: [], firstEvent: { kind: "content" } });
    expect(scanText(`event: message_start\n${lines}\n${DELTA}`).captured).toHaveLength(1);
    expect(scanText(`event: error\n${lines}`).firstEvent).toEqual({
      kind: "error",
      error: { type: "api_error", message: "" },
    });
  });

  test("takes a name that is too long for another event", () => {
    expect(scanText(`event: message_stop${"x".repeat(300_000)}\ndata: {}\n\n`)).toMatchObject({
      hasEnded: false,
      firstEvent: { kind: "content" },
    });
  });

  test("reads a million empty lines, data lines and line ends of any kind in linear time", () => {
    const startedAtMs = performance.now();
    for (const unit of ["\n", "\r", "data\n", "data:\r", "event: error\ndata\r\n", `data: """""""""""""""""x\n`]) {
      scanText(unit.repeat(1_000_000 / unit.length));
      scanText(`event: content_block_delta\n${unit.repeat(1_000_000 / unit.length)}`);
    }
    expect(performance.now() - startedAtMs).toBeLessThan(4000);
  });

  test("bounds the message of an error", () => {
    const error = { type: "error", error: { type: "api_error", message: "m".repeat(100_000) } };
    expect(scanText(event("error", error)).lastError?.message).toHaveLength(2048);
  });
});

test("reads text after a cut inside a character", () => {
  const bytes = utf8.encode(event("error", { error: { type: "api_error", message: "你好" } }));
  const middle = bytes.indexOf(0xe4) + 1;
  expect(scan([bytes.slice(0, middle), bytes.slice(middle)]).lastError?.message).toBe("你好");
});
