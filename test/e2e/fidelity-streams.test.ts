import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { encodeParts } from "../../sim/encode-parts.ts";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { ContentEncoding, RawStep } from "../../sim/step.ts";
import { generateStream } from "./fidelity-stream.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { headerValue, inParallel, printHead, type RawClient } from "./raw-http.ts";
import { createRandom, type SeededRandom } from "./seeded-random.ts";

const STREAMS_PER_ENCODING = 250;
const CONNECTIONS = 12;
const TEST_MS = 60_000;

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;
let gateway: GatewayProcess;
let key: string;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
  simulator.account("sk-streams");
  await gateway.addAccount("streams", { baseUrl: simulator.url, credential: "sk-streams" });
  key = (await gateway.createKey("streams")).key;
}, HOOK_MS);

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
}, HOOK_MS);

type Prepared = {
  readonly seed: string;
  readonly step: RawStep;
  readonly sha256: string;
  readonly outputTokens: number;
};

/** One stream as the very bytes of its connection: framed by chance, cut without regard to what the bytes mean. */
async function prepare(seed: number, encoding: ContentEncoding | null): Promise<Prepared> {
  const random = createRandom(seed);
  const { parts, outputTokens } = generateStream(random);
  const events = encoding === null ? parts : await encodeParts(parts, encoding);
  const body = Buffer.concat(events);
  const framing = random.pick(["chunked", "chunked", "chunked", "length", "close"]);
  const head = [
    "HTTP/1.1 200 OK",
    "content-type: text/event-stream; charset=utf-8",
    `x-fidelity-seed: ${seed}`,
    ...(encoding === null ? [] : [`content-encoding: ${encoding}`]),
    ...framingLines(framing, body.length),
  ];
  const framed = framing === "chunked" ? chunked(random, body) : body;
  const wire = Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), framed]);
  return {
    seed: String(seed),
    sha256: sha256(body),
    outputTokens,
    step: {
      kind: "raw",
      bytes: cut(random, wire).map((piece) => piece.toString("base64")),
      bytesEncoding: "base64",
      end: framing === "close" ? "fin" : "keepOpen",
    },
  };
}

function framingLines(framing: string, bodyBytes: number): readonly string[] {
  if (framing === "chunked") return ["Transfer-Encoding: chunked"];
  return framing === "length" ? [`Content-Length: ${bodyBytes}`] : ["Connection: close"];
}

function chunked(random: SeededRandom, body: Buffer, largest = random.pick([1, 7, 100, 2_000])): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + random.between(1, largest));
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
    at += piece.length;
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}

/** Pieces of the wire, one write each. Byte by byte is kept to short streams: it is slow, not harder. */
function cut(random: SeededRandom, wire: Buffer): readonly Buffer[] {
  const largest = wire.length < 3_000 && random.chance(0.2) ? 1 : random.pick([16, 64, 500, 5_000]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length; ) {
    const piece = wire.subarray(at, at + random.between(1, largest));
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const BODY = JSON.stringify({ model: "claude-sonnet-5-5", stream: true, max_tokens: 64, messages: [] });

test.each<{ name: string; encoding: ContentEncoding | null; firstSeed: number }>([
  { name: "plain", encoding: null, firstSeed: 10_000 },
  { name: "gzip", encoding: "gzip", firstSeed: 20_000 },
  { name: "br", encoding: "br", firstSeed: 30_000 },
  { name: "zstd", encoding: "zstd", firstSeed: 40_000 },
])(
  `relays ${STREAMS_PER_ENCODING} event streams byte for byte: $name`,
  async ({ encoding, firstSeed }) => {
    const seeds = Array.from({ length: STREAMS_PER_ENCODING }, (_, index) => firstSeed + index);
    const bySeed = new Map<string, Prepared>();
    for (const seed of seeds) {
      const prepared = await prepare(seed, encoding);
      bySeed.set(prepared.seed, prepared);
    }
    const account = simulator.account("sk-streams");
    account.enqueue(...[...bySeed.values()].map(({ step }) => step));
    const wrong: string[] = [];
    const expectedTokens = new Map<string, number>();

    await inParallel(seeds, { port: portOf(gateway), connections: CONNECTIONS }, async (_, client: RawClient) => {
      await client.write(
        `${printHead({ key, headers: ["accept-encoding: gzip, br, zstd"], framing: { lengthBytes: BODY.length } })}${BODY}`,
      );
      const answer = await client.answer();
      const prepared = bySeed.get(headerValue(answer, "x-fidelity-seed") ?? "");
      const isEqual =
        prepared !== undefined &&
        answer.status === 200 &&
        answer.end === "whole" &&
        headerValue(answer, "content-type") === "text/event-stream; charset=utf-8" &&
        headerValue(answer, "content-encoding") === encoding &&
        sha256(answer.body) === prepared.sha256;
      if (!isEqual) wrong.push(`seed ${prepared?.seed}: status ${answer.status}, ${answer.end}`);
      bySeed.delete(prepared?.seed ?? "");
      expectedTokens.set(headerValue(answer, "x-better-ccflare-request-id") ?? "", prepared?.outputTokens ?? -1);
    });

    expect(wrong).toEqual([]);
    expect(bySeed.size).toBe(0);
    // The meter read the same bytes on the side, through every cut and encoding.
    const lines = (await gateway.requests(STREAMS_PER_ENCODING)).filter((line) => expectedTokens.has(line.id));
    expect(lines).toHaveLength(STREAMS_PER_ENCODING);
    const misread = lines.filter(
      (line) => line.outcome !== "completed" || line.usage?.["outputTokens"] !== expectedTokens.get(line.id),
    );
    expect(misread).toEqual([]);
  },
  TEST_MS,
);

const SLOW_READERS = 6;
const LONG_STREAM_BYTES = 6 * 1024 * 1024;
const PAUSES = 4;
const PAUSE_MS = 150;

/** Megabytes of small events, different for every seed. */
function longStream(seed: number): Buffer {
  const random = createRandom(seed);
  const parts: Buffer[] = [];
  for (let bytes = 0; bytes < LONG_STREAM_BYTES; ) {
    const text = `${seed}-${random.next()} `.repeat(random.between(1, 40));
    const data = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
    const event = Buffer.from(`event: content_block_delta\ndata: ${JSON.stringify(data)}\n\n`);
    parts.push(event);
    bytes += event.length;
  }
  parts.push(Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n'));
  return Buffer.concat(parts);
}

test(
  "clients that stop reading again and again get their own bytes, and all of them",
  async () => {
    const expected = new Map<string, string>();
    const account = simulator.account("sk-streams");
    for (let seed = 50_000; seed < 50_000 + SLOW_READERS; seed += 1) {
      const body = longStream(seed);
      const random = createRandom(seed);
      const head = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-fidelity-seed: ${seed}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const wire = Buffer.concat([Buffer.from(head), chunked(random, body, 2_000)]);
      const bytes = Array.from({ length: Math.ceil(wire.length / 10_000) }, (_, index) =>
        wire.subarray(index * 10_000, (index + 1) * 10_000).toString("base64"),
      );
      account.enqueue({ kind: "raw", bytes, bytesEncoding: "base64", end: "keepOpen" });
      expected.set(String(seed), sha256(body));
    }
    const wrong: string[] = [];
    const readers = Array.from({ length: SLOW_READERS }, (_, index) => index);
    await inParallel(readers, { port: portOf(gateway), connections: SLOW_READERS }, async (_, client) => {
      await client.write(`${printHead({ key, framing: { lengthBytes: BODY.length } })}${BODY}`);
      for (let pause = 0; pause < PAUSES; pause += 1) {
        client.pause();
        await Bun.sleep(PAUSE_MS);
        client.resume();
        await Bun.sleep(1);
      }
      const answer = await client.answer();
      const seed = headerValue(answer, "x-fidelity-seed") ?? "";
      if (answer.end !== "whole" || sha256(answer.body) !== expected.get(seed)) {
        wrong.push(`seed ${seed}: ${answer.end}, ${answer.body.length} bytes`);
      }
    });
    expect(wrong).toEqual([]);
  },
  TEST_MS,
);

function portOf({ url }: GatewayProcess): number {
  return Number(new URL(url).port);
}
