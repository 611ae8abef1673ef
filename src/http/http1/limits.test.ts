import { describe, expect, test } from "bun:test";
import {
  connect,
  echo,
  eventually,
  IS_OVER_TLS,
  type RawClient,
  scriptedBody,
  start,
  text,
} from "./raw-client.test.ts";

const GET = "GET /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a connection has", () => {
  test("ten seconds for its first byte, then it is closed without a word", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    await eventually(() => started.listener.connections === 1);
    started.clock.advance(9_750);
    expect(client.end).toBe("open");
    started.clock.advance(250);
    expect(await client.closed()).toBe("fin");
    expect(client.received.length).toBe(0);
  });

  test("ten seconds for a head, however often a byte of it comes", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send("GET / HTTP/1.1\r\n");
    await Bun.sleep(5);
    for (let second = 0; second < 9; second += 1) {
      client.send("X: y\r\n");
      await Bun.sleep(1);
      started.clock.advance(1_000);
    }
    expect(client.received.length).toBe(0);
    started.clock.advance(1_000);
    const [answer] = await client.answers(1);
    expect(answer?.status).toBe(408);
    expect(JSON.parse(String(answer?.body))).toMatchObject({ error: { type: "timeout_error" } });
    expect(await client.closed()).toBe("fin");
  });

  test("fifteen seconds between two requests", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    for (let round = 0; round < 3; round += 1) {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
      await client.answers(1);
      started.clock.advance(14_750);
    }
    expect(client.end).toBe("open");
    started.clock.advance(250);
    expect(await client.closed()).toBe("fin");
  });

  test("all the time that its answer takes", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const body = scriptedBody();
    using started = start(async () => {
      await promise;
      return { status: 200, headers: [], body };
    });
    using client = await connect(started.port);
    client.send(GET);
    await eventually(() => started.calls.length === 1);
    started.clock.advance(3_600_000);
    resolve();
    await body.subscribed;
    started.clock.advance(3_600_000);
    body.push("still here");
    body.end();
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("still here");
  });

  test("sixty seconds to take a byte of what waits for it, counted from when it waits", async () => {
    const body = scriptedBody();
    using started = start(async () => ({ status: 200, headers: [], body }));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    started.clock.advance(600_000);
    while (!body.isPaused) body.push(new Uint8Array(1_000_000));
    started.clock.advance(59_500);
    expect(body.log).toEqual(["pause"]);
    started.clock.advance(1_000);
    expect(body.log).toEqual(["pause", "cancel"]);
    expect(started.listener.connections).toBe(0);
    expect(started.listener.active).toBe(0);
  });
});

// Over TLS it is closed without a word: a handshake would cost what there is none of.
test.skipIf(IS_OVER_TLS)(
  "beyond its bound a connection gets 503 and is closed, and the next one after a close is served",
  async () => {
    using started = start(echo, { maxConnections: 2 });
    using first = await connect(started.port);
    using second = await connect(started.port);
    await eventually(() => started.listener.connections === 2);
    using third = await connect(started.port);
    const [refused] = await third.answers(1);
    expect(refused?.status).toBe(503);
    expect(refused?.headers.get("retry-after")).toBe("1");
    expect(JSON.parse(String(refused?.body))).toMatchObject({ error: { type: "overloaded_error" } });
    await third.closed();
    first.socket.end();
    await eventually(() => started.listener.connections === 1);
    using fourth = await connect(started.port);
    for (const client of [second, fourth]) {
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
      const [answer] = await client.answers(1);
      expect(String(answer?.body)).toBe("hi");
    }
  },
);

test("a thousand slow connections starve nobody, and each is closed in time", async () => {
  using started = start(async () => text("served"));
  const slow: RawClient[] = [];
  for (let index = 0; index < 1_000; index += 1) slow.push(await connect(started.port));
  for (const client of slow) client.send("POST /v1/messages HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  using client = await connect(started.port);
  for (let round = 0; round < 20; round += 1) {
    for (const peer of slow) peer.send("z");
    client.send(GET);
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("served");
  }
  expect(started.listener.connections).toBe(1_001);
  started.clock.advance(10_000);
  const ends = await Promise.all(slow.map((peer) => peer.answers(1)));
  expect(new Set(ends.map(([answer]) => answer?.status))).toEqual(new Set([408]));
  for (const peer of slow) peer.socket.terminate();
  await eventually(() => started.listener.connections === 1);
});

test("stop closes every connection and takes no new one", async () => {
  const body = scriptedBody(["one"]);
  const started = start(async () => ({ status: 200, headers: [], body }));
  using idle = await connect(started.port);
  using busy = await connect(started.port);
  busy.send(GET);
  await busy.until((received) => received.includes("one"));
  expect(started.listener.active).toBe(1);
  await started.listener.stop();
  await Promise.all([idle.closed(), busy.closed()]);
  expect(body.log).toEqual(["cancel"]);
  expect(started.calls[0]?.signal.aborted).toBe(true);
  expect([started.listener.active, started.listener.connections]).toEqual([0, 0]);
  expect(connect(started.port)).rejects.toThrow();
});
