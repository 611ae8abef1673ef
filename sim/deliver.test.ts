import { afterAll, beforeAll, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import type { Simulator } from "./simulator.ts";
import { startSimulator } from "./simulator.ts";
import type { ContentScript, Delivery, Step } from "./step.ts";
import type { WireClient } from "./wire-client.ts";
import { connectWire, printRequest } from "./wire-client.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());

async function play(step: Step): Promise<WireClient> {
  simulator.account("key", { organization: "org" }).enqueue(step);
  const client = await connectWire(simulator.port);
  client.send(printRequest({ body: "{}" }));
  return client;
}

const CONTENT: ContentScript = {
  text: "Grüße 你好 aus Zürich",
  thinking: "hm",
  toolUse: { name: "t", input: { a: [1] } },
};
const ENDS_CHUNKED = (text: string) => text.endsWith("\r\n0\r\n\r\n");

async function wholeStream(delivery: Delivery): Promise<WireClient> {
  const client = await play({ kind: "stream", ...CONTENT, ...delivery });
  await client.until(ENDS_CHUNKED);
  client.close();
  return client;
}

/** Without what differs from request to request: date and ids. */
function stable(text: string): string {
  return text.replace(/Date: .*\r\n/, "").replace(/(req|msg|toolu)_01\w+|c2ltOm\w+=*/g, "ID");
}

function bodyOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

/** Undoes chunking; the answer ends with the last chunk or where it was cut. */
function unchunk(body: string): string {
  let rest = body;
  let joined = "";
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/.exec(rest);
    if (size === null) return joined;
    const start = size[0].length;
    const length = Number.parseInt(size[1] ?? "", 16);
    joined += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
  }
}

function eventNames(sse: string): readonly (string | undefined)[] {
  const names: (string | undefined)[] = [];
  const parser = createParser({ onEvent: (event) => void names.push(event.event) });
  parser.feed(Buffer.from(sse, "latin1").toString("utf8"));
  return names;
}

const ALL_EVENTS = [
  "message_start",
  "ping",
  ...["content_block_start", "content_block_delta", "content_block_delta", "content_block_delta", "content_block_stop"],
  "ping",
  ...["content_block_start", ...Array.from({ length: 4 }, () => "content_block_delta"), "content_block_stop"],
  "ping",
  ...["content_block_start", ...Array.from({ length: 4 }, () => "content_block_delta"), "content_block_stop"],
  "message_delta",
  "message_stop",
];

test("sends the events in the order of the protocol", async () => {
  const client = await wholeStream({});
  expect(eventNames(unchunk(bodyOf(client.text)))).toEqual(ALL_EVENTS);
});

test("gives the same bytes however the writes are cut", async () => {
  const reference = stable((await wholeStream({})).text);
  expect(stable((await wholeStream({ bytePerWrite: true })).text)).toBe(reference);
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (randomCutSeed) => {
      expect(stable((await wholeStream({ randomCutSeed })).text)).toBe(reference);
    }),
    { numRuns: 10 },
  );
});

test.each([{ bytePerWrite: true }, { chunkBytes: 7 }, { randomCutSeed: 42 }])(
  "splits the writes with %j so that a reader sees small pieces",
  async (delivery) => {
    const cut = await wholeStream(delivery);
    const uncut = await wholeStream({});
    expect(cut.reads.length).toBeGreaterThan(uncut.reads.length * 3);
  },
);

test.each([
  { encoding: "gzip", decode: gunzipSync },
  { encoding: "br", decode: brotliDecompressSync },
  { encoding: "zstd", decode: zstdDecompressSync },
] as const)("encodes a stream as $encoding, event by event", async ({ encoding, decode }) => {
  const client = await wholeStream({ encoding });
  expect(client.text).toContain(`content-encoding: ${encoding}\r\n`);
  const body = Buffer.from(unchunk(bodyOf(client.text)), "latin1");
  expect(eventNames(decode(body).toString("latin1"))).toEqual(ALL_EVENTS);
  const chunkCount = bodyOf(client.text).match(/\r\n[0-9a-f]+\r\n/g)?.length ?? 0;
  expect(chunkCount).toBeGreaterThanOrEqual(ALL_EVENTS.length - 1);
});

test("encodes a plain answer with the length of the encoded bytes", async () => {
  const client = await play({ kind: "message", encoding: "gzip" });
  const text = await client.until((seen) => seen.includes("\r\n\r\n") && seen.length > 400);
  const length = Number(/Content-Length: (\d+)/.exec(text)?.[1]);
  const body = Buffer.from(bodyOf(await client.until((seen) => bodyOf(seen).length === length)), "latin1");
  expect(JSON.parse(gunzipSync(body).toString())).toMatchObject({ type: "message" });
  client.close();
});

test.each([
  { lineEnding: "crlf", separator: "\r\n\r\n" },
  { lineEnding: "cr", separator: "\r\r" },
] as const)("ends lines with $lineEnding", async ({ lineEnding, separator }) => {
  const client = await wholeStream({ lineEnding });
  const sse = unchunk(bodyOf(client.text));
  expect(sse.split(separator)).toHaveLength(ALL_EVENTS.length + 1);
});

test.each([
  { cut: "fin", end: "fin" },
  { cut: "halfClose", end: "fin" },
  { cut: "reset", end: "reset" },
] as const)("cuts a stream by $cut after three events, without the end of the chunked body", async ({ cut, end }) => {
  const client = await play({ kind: "stream", ...CONTENT, cutAfterEvents: 3, cut, eventDelayMs: 5 });
  expect(await client.ended()).toBe(end);
  expect(eventNames(unchunk(bodyOf(client.text)))).toEqual(ALL_EVENTS.slice(0, 3));
  expect(ENDS_CHUNKED(client.text)).toBe(false);
  client.close();
});

test.each([0, 1, 100, 333])("cuts a stream after %d body bytes", async (cutAfterBytes) => {
  const whole = unchunk(bodyOf(stable((await wholeStream({})).text)));
  const client = await play({ kind: "stream", ...CONTENT, cutAfterBytes });
  expect(await client.ended()).toBe("fin");
  expect(unchunk(bodyOf(client.text))).toHaveLength(cutAfterBytes);
  expect(unchunk(bodyOf(client.text)).slice(0, 60)).toBe(whole.slice(0, Math.min(60, cutAfterBytes)));
});

test("cuts a plain answer short of its Content-Length", async () => {
  const client = await play({ kind: "message", cutAfterBytes: 10 });
  expect(await client.ended()).toBe("fin");
  expect(bodyOf(client.text)).toHaveLength(10);
  expect(Number(/Content-Length: (\d+)/.exec(client.text)?.[1])).toBeGreaterThan(10);
});

test("says an error in the middle of a stream and ends the HTTP answer well", async () => {
  const error = { type: "api_error", message: "Internal server error" };
  const client = await wholeStream({ errorAfterEvents: 4, error });
  const sse = unchunk(bodyOf(client.text));
  expect(eventNames(sse)).toEqual([...ALL_EVENTS.slice(0, 4), "error"]);
  expect(sse).toContain(JSON.stringify({ type: "error", error }));
});

test("stalls after two events and then goes on", async () => {
  const startedAtMs = performance.now();
  const client = await wholeStream({ stallAfterEvents: 2, stallMs: 60 });
  expect(performance.now() - startedAtMs).toBeGreaterThan(55);
  expect(eventNames(unchunk(bodyOf(client.text)))).toEqual(ALL_EVENTS);
});

test("stalls for good when no time is given, until the peer leaves", async () => {
  const client = await play({ kind: "stream", ...CONTENT, stallAfterEvents: 2 });
  await client.until((text) => eventNames(unchunk(bodyOf(text))).length === 2);
  expect(simulator.activeStreams).toBe(1);
  client.reset();
  await simulator.waitFor((requests) => requests.at(-1)?.abortedAtMs !== null && simulator.activeStreams === 0);
});

test.each([
  { name: "the first byte", delivery: { firstByteDelayMs: 50 }, atLeastMs: 45 },
  { name: "each event", delivery: { eventDelayMs: 3 }, atLeastMs: 3 * (ALL_EVENTS.length - 2) },
  { name: "each header line", delivery: { slowHeadersMs: 10 }, atLeastMs: 60 },
])("delays $name", async ({ delivery, atLeastMs }) => {
  const startedAtMs = performance.now();
  const client = await wholeStream(delivery);
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(atLeastMs);
  expect(eventNames(unchunk(bodyOf(client.text)))).toEqual(ALL_EVENTS);
});

test.each([1, 65_536])("pads the headers by %d bytes", async (headerPaddingBytes) => {
  const client = await wholeStream({ headerPaddingBytes });
  const padding = client.text.match(/x-padding-\d+: p+\r\n/g)?.join("").length ?? 0;
  expect(padding).toBeGreaterThanOrEqual(headerPaddingBytes);
  expect(padding).toBeLessThan(headerPaddingBytes + 32);
});

test.each([
  { framing: "close", header: "Connection: close" },
  { framing: "length", header: "Content-Length: " },
] as const)("frames a stream by $framing", async ({ framing, header }) => {
  const client = await play({ kind: "stream", ...CONTENT, framing });
  const text = await client.until((seen) => seen.includes('message_stop"}\n\n'));
  expect(text).toContain(header);
  expect(text).not.toContain("Transfer-Encoding");
  expect(eventNames(bodyOf(text))).toEqual(ALL_EVENTS);
  if (framing === "close") expect(await client.ended()).toBe("fin");
  client.close();
});
