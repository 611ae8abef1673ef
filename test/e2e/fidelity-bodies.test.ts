import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { Step } from "../../sim/step.ts";
import { type GeneratedBody, generateBodies, MAX_BODY_BYTES, paddedObject } from "./fidelity-body.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { connectRaw, headerValue, inParallel, printHead, type RawAnswer, type RawClient } from "./raw-http.ts";
import { createRandom } from "./seeded-random.ts";

const CONNECTIONS = 8;
const TEST_MS = 60_000;

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;
let gateway: GatewayProcess;
let key: string;
let port: number;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway();
  port = Number(new URL(gateway.url).port);
  const account = simulator.account("sk-bodies");
  // A step of its own per path: the simulator need not make sense of the bodies.
  for (const path of ["/v1/messages", "/v1/files"]) {
    account.setDefault({ kind: "status", status: 200, body: "{}", path } satisfies Step);
  }
  await gateway.addAccount("bodies", { baseUrl: simulator.url, credential: "sk-bodies" });
  key = (await gateway.createKey("bodies")).key;
}, HOOK_MS);

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
}, HOOK_MS);

type Framing = "content-length" | "chunked";
const FRAMINGS: readonly Framing[] = ["content-length", "chunked"];

type Sending = { readonly target: string; readonly bytes: Uint8Array; readonly framing: Framing; readonly tag: string };

async function send(client: RawClient, { target, bytes, framing, tag }: Sending): Promise<RawAnswer> {
  const isChunked = framing === "chunked";
  const head = printHead({
    key,
    target,
    headers: [`x-fidelity-tag: ${tag}`, "content-type: application/json"],
    framing: isChunked ? "chunked" : { lengthBytes: bytes.length },
  });
  await client.write(head);
  // The answer to a refused body may come, and the connection end, before all of it is written.
  void (isChunked ? writeChunks(client, bytes) : client.write(bytes));
  return client.answer();
}

/** Chunks of random sizes, single bytes included, at most about 100 of them. */
async function writeChunks(client: RawClient, bytes: Uint8Array): Promise<void> {
  const random = createRandom(bytes.length);
  const largest = Math.max(1, Math.ceil(bytes.length / 50));
  for (let at = 0; at < bytes.length && client.isOpen; ) {
    const piece = bytes.subarray(at, at + (random.chance(0.1) ? 1 : random.between(1, largest)));
    const size = random.chance(0.5) ? piece.length.toString(16) : piece.length.toString(16).toUpperCase();
    await client.write(Buffer.concat([Buffer.from(`${size}\r\n`), piece, Buffer.from("\r\n")]));
    at += piece.length;
  }
  await client.write("0\r\n\r\n");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function arrived(tag: string) {
  return simulator.requests.findLast((request) =>
    request.headers.some(([name, value]) => name.toLowerCase() === "x-fidelity-tag" && value === tag),
  );
}

const BODIES = generateBodies();

test("there are two hundred bodies, from one byte to the limit", () => {
  const sizes = BODIES.map(({ bytes }) => bytes.length);
  expect({ count: sizes.length, least: Math.min(...sizes), most: Math.max(...sizes) }).toEqual({
    count: 200,
    least: 1,
    most: MAX_BODY_BYTES,
  });
});

test.each(FRAMINGS)(
  "every body reaches upstream byte for byte, sent with %s",
  async (framing) => {
    const wrong: string[] = [];
    await inParallel(BODIES, { port, connections: CONNECTIONS }, async (body: GeneratedBody, client) => {
      const tag = `${framing} ${body.name}`;
      const target = body.isMessages ? "/v1/messages" : "/v1/files";
      const answer = await send(client, { target, bytes: body.bytes, framing, tag });
      const seen = arrived(tag);
      const isEqual = answer.status === 200 && seen?.bodySha256 === sha256(body.bytes);
      if (!isEqual) wrong.push(`${body.name}: ${answer.status}, ${seen?.body.length} of ${body.bytes.length} bytes`);
    });
    expect(wrong).toEqual([]);
  },
  TEST_MS,
);

test.each(FRAMINGS)(
  "what is no request for a message is refused on /v1/messages before upstream sees it, sent with %s",
  async (framing) => {
    const wrong: string[] = [];
    const bodies = BODIES.filter(({ isMessages, bytes }) => !isMessages && bytes.length < 1_000_000);
    await inParallel(bodies, { port, connections: CONNECTIONS }, async (body, client) => {
      const tag = `refused ${framing} ${body.name}`;
      const answer = await send(client, { target: "/v1/messages", bytes: body.bytes, framing, tag });
      const isRefused = answer.status === 400 && answer.body.includes('"invalid_request_error"');
      if (!isRefused || arrived(tag) !== undefined) wrong.push(`${body.name}: ${answer.status}`);
    });
    expect(wrong).toEqual([]);
  },
  TEST_MS,
);

test.each(FRAMINGS)(
  "one byte more than the limit is 413 and never reaches upstream, sent with %s",
  async (framing) => {
    const client = await connectRaw(port);
    const tag = `too large ${framing}`;
    const bytes = paddedObject(MAX_BODY_BYTES + 1);
    const answer = await send(client, { target: "/v1/messages", bytes, framing, tag });
    client.close();
    expect({ status: answer.status, body: JSON.parse(answer.body.toString()) }).toMatchObject({
      status: 413,
      body: { type: "error", error: { type: "request_too_large" } },
    });
    expect(headerValue(answer, "x-better-ccflare-attempts")).toBe("0");
    expect(arrived(tag)).toBeUndefined();
  },
  TEST_MS,
);
