import { describe, expect, test } from "bun:test";
import type { Answer } from "../../gateway/call.ts";
import type { HeaderField } from "../../gateway/ports.ts";
import { connect, echo, eventually, parseAnswer, scriptedBody, start, text } from "./raw-client.test.ts";

const GET = "GET /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n";

function streamed(body: ReturnType<typeof scriptedBody>, contentLength?: number): Answer {
  const headers: HeaderField[] = [["content-type", "text/event-stream"]];
  return contentLength === undefined ? { status: 200, headers, body } : { status: 200, headers, body, contentLength };
}

describe("a pushed body", () => {
  test("is relayed chunk by chunk, as it comes", async () => {
    const body = scriptedBody();
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.toString().endsWith("\r\n\r\n"));
    body.push("event: a\n\n");
    await client.until((received) => received.toString().endsWith("\r\n\r\na\r\nevent: a\n\n\r\n"));
    expect(started.listener.active).toBe(1);
    body.push("b");
    body.end();
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("event: a\n\nb");
    expect(started.listener.active).toBe(0);
    expect(body.log).toEqual([]);
  });

  test("leaves in one piece with the head when its first chunk is there already", async () => {
    let reads = 0;
    const body = scriptedBody(["first"]);
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => {
      reads += received.length > 0 ? 1 : 0;
      return received.includes("first");
    });
    expect(reads).toBe(1);
  });

  test("of known length is sent without chunks", async () => {
    const body = scriptedBody(["ab"]);
    using started = start(async () => streamed(body, 4));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.toString().endsWith("ab"));
    body.push("cd");
    body.end();
    const [answer] = await client.answers(1);
    expect(answer?.headers.get("content-length")).toBe("4");
    expect(answer?.headers.get("transfer-encoding")).toBeNull();
    expect(String(answer?.body)).toBe("abcd");
  });

  test("arrives byte for byte when it is large", async () => {
    const body = scriptedBody();
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await body.subscribed;
    const sent = new Uint8Array(3_000_000).map((_, index) => index * 17 + (index >> 7));
    let at = 0;
    for (const bytes of [1, 16_383, 65_536, 131_072, 500_000, 2_000_000]) {
      await eventually(() => !body.isPaused);
      body.push(sent.subarray(at, at + bytes));
      at += bytes;
    }
    body.end();
    const [answer] = await client.answers(1);
    expect(answer?.body.equals(sent.subarray(0, at))).toBe(true);
  });

  test("waits for a client that reads slowly, and holds little for it", async () => {
    const body = scriptedBody();
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    let pushed = 0;
    const chunk = new Uint8Array(64 * 1024);
    // The source stops when it is told to; the kernel takes a few MB before that.
    while (!body.isPaused && pushed < 200_000_000) {
      body.push(chunk);
      pushed += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(pushed).toBeLessThan(50_000_000);
    expect(body.log).toEqual(["pause"]);
    client.socket.resume();
    await eventually(() => body.log.includes("resume"));
    body.end();
    const [answer] = await client.answers(1);
    expect(answer?.body.length).toBe(pushed);
  });

  test("reaches each of many slow clients as its own bytes, though all are put together in one buffer", async () => {
    const bodies = Array.from({ length: 6 }, () => scriptedBody());
    using started = start(async (call) => streamed(bodies[Number(call.query.slice(1))] ?? scriptedBody()));
    const clients = await Promise.all(bodies.map(() => connect(started.port)));
    for (const [index, client] of clients.entries()) {
      client.send(`GET /?${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.until((received) => received.includes("\r\n\r\n"));
      client.socket.pause();
    }
    const pushed = bodies.map(() => 0);
    while (bodies.some((body) => !body.isPaused)) {
      for (const [index, body] of bodies.entries()) {
        if (body.isPaused) continue;
        const chunk = new Uint8Array(60_000).fill(index + 1);
        body.push(chunk);
        pushed[index] = (pushed[index] ?? 0) + chunk.length;
      }
    }
    for (const body of bodies) body.end();
    for (const [index, client] of clients.entries()) {
      client.socket.resume();
      const [answer] = await client.answers(1);
      expect(answer?.body.length).toBe(pushed[index] as number);
      expect(answer?.body.every((byte) => byte === index + 1)).toBe(true);
      client.socket.terminate();
    }
  });

  test("that ends while the client reads slowly still arrives whole, and the connection serves on", async () => {
    const body = scriptedBody();
    using started = start(async (call) => (call.method === "GET" ? streamed(body) : echo(call)));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    const chunk = new Uint8Array(1_000_000);
    let pushed = 0;
    while (!body.isPaused) {
      body.push(chunk);
      pushed += chunk.length;
    }
    body.end();
    expect(started.listener.active).toBe(1);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext");
    client.socket.resume();
    const [streamedAnswer, next] = await client.answers(2);
    expect(streamedAnswer?.body.length).toBe(pushed);
    expect(String(next?.body)).toBe("next");
    expect(body.log).not.toContain("cancel");
  });
});

describe("a body that broke off is seen to be cut", () => {
  test("in chunks: what came is there, the last chunk is not", async () => {
    const body = scriptedBody(["one"]);
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("one"));
    body.push("two");
    body.fail();
    await client.closed();
    expect(client.received.toString()).toEndWith("3\r\none\r\n3\r\ntwo\r\n");
    expect(parseAnswer(client.received)).toBeNull();
    expect(started.listener.active).toBe(0);
  });

  test("although much of it still waits for the client", async () => {
    const body = scriptedBody();
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    const chunk = new Uint8Array(1_000_000).fill(0x61);
    while (!body.isPaused) body.push(chunk);
    body.push("the last words");
    body.fail();
    client.socket.resume();
    await client.closed();
    expect(client.received.toString("latin1")).toEndWith("the last words\r\n");
  });

  test.each([
    { name: "short", contentLength: 10, sent: "HTTP/1.1 200 OK" },
    { name: "long", contentLength: 2, sent: "HTTP/1.1 200 OK" },
  ])("by its length, when it is too $name", async ({ contentLength }) => {
    const body = scriptedBody(["ab"]);
    using started = start(async () => streamed(body, contentLength));
    using client = await connect(started.port);
    client.send(GET + GET);
    await client.until((received) => received.toString().endsWith("ab"));
    if (contentLength === 2) body.push("c");
    else body.end();
    await client.closed();
    expect(client.received.toString()).toEndWith("\r\n\r\nab");
    expect(started.calls).toHaveLength(1);
  });

  test("under HTTP/1.0 by a reset, after what came had time to leave", async () => {
    const body = scriptedBody(["one"]);
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    await client.until((received) => received.includes("one"));
    body.push("two");
    body.fail();
    await client.until((received) => received.includes("onetwo"));
    expect(client.end).toBe("open");
    started.clock.advance(1_250);
    expect(await client.closed()).toBe("reset");
  });

  test("and what it says afterwards reaches nobody", async () => {
    const body = scriptedBody(["one"]);
    using started = start(async (call) => (started.calls.length === 1 ? streamed(body) : echo(call)));
    using client = await connect(started.port);
    client.send(GET);
    await body.subscribed;
    body.end();
    body.push("late");
    body.fail();
    await client.answers(1);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext");
    await eventually(() => started.calls.length === 2);
    body.push("later");
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("next");
  });
});

describe("an answer that would not be HTTP", () => {
  test.each<{ name: string; answer: Partial<Answer> }>([
    { name: "a split header", answer: { headers: [["x", "a\r\nSet-Cookie: b"]] } },
    { name: "a NUL in a header", answer: { headers: [["x", "\0"]] } },
    { name: "a name with a colon", answer: { headers: [["x: y", "z"]] } },
    { name: "an interim status", answer: { status: 101 } },
  ])("is never sent, but is reported: $name", async ({ answer }) => {
    const body = scriptedBody(["never sent"]);
    using started = start(async () => ({ ...streamed(body), ...answer }));
    using client = await connect(started.port);
    client.send(GET);
    const [sent] = await client.answers(1);
    expect(sent?.status).toBe(500);
    expect(String(sent?.body)).not.toContain("never sent");
    expect(sent?.headers.get("set-cookie")).toBeNull();
    expect(body.log).toEqual(["cancel"]);
    expect(started.errors).toHaveLength(1);
  });
});

test("a body that throws is reported, and ends its connection alone", async () => {
  const broken = scriptedBody();
  broken.subscribe = () => {
    throw new Error("a bug");
  };
  using started = start(async (call) => (call.method === "GET" ? streamed(broken) : echo(call)));
  using client = await connect(started.port);
  using other = await connect(started.port);
  client.send(GET);
  expect(await client.closed()).toBe("reset");
  expect(started.errors).toEqual([new Error("a bug")]);
  expect(started.listener.active).toBe(0);
  other.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhere");
  const [answer] = await other.answers(1);
  expect(String(answer?.body)).toBe("here");
});

test.each(["resume", "cancel"] as const)(
  "a body that throws at %s is reported, and the next client is served",
  async (act) => {
    const broken = scriptedBody();
    broken[act] = () => {
      throw new Error("a bug");
    };
    using started = start(async (call) => (call.method === "GET" ? streamed(broken) : echo(call)));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    while (!broken.isPaused) broken.push(new Uint8Array(1_000_000));
    if (act === "cancel") started.clock.advance(61_000);
    else client.socket.resume();
    await client.closed();
    await eventually(() => started.listener.connections === 0);
    expect(started.errors).toEqual([new Error("a bug")]);
    expect(started.listener.active).toBe(0);
    using other = await connect(started.port);
    other.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhere");
    const [answer] = await other.answers(1);
    expect(String(answer?.body)).toBe("here");
  },
);

describe("a client that leaves", () => {
  const ways = [
    { way: "with a reset", leave: (socket: { terminate(): void }) => socket.terminate() },
    { way: "in order", leave: (socket: { end(): void }) => socket.end() },
    { way: "by half", leave: (socket: { shutdown(): void }) => socket.shutdown() },
  ];

  test.each(ways)("$way while its head comes in is forgotten", async ({ leave }) => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send("GET / HT");
    await eventually(() => started.listener.connections === 1);
    leave(client.socket);
    await eventually(() => started.listener.connections === 0);
    expect(started.calls).toHaveLength(0);
  });

  test.each(ways)("$way while its body comes in ends the reading", async ({ leave }) => {
    const ends: string[] = [];
    using started = start(async (call) => {
      const body = await call.readBody(100, () => true);
      ends.push(body.ok ? "whole" : body.error, String(call.signal.aborted));
      return null;
    });
    using client = await connect(started.port);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    await eventually(() => started.calls.length === 1);
    leave(client.socket);
    await eventually(() => ends.length > 0);
    expect(ends).toEqual(["client_gone", "true"]);
    expect(started.listener.active).toBe(0);
  });

  test.each(ways)("$way while it is served aborts the signal, and a late answer is cancelled", async ({ leave }) => {
    const body = scriptedBody(["late"]);
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    using started = start(async (call) => {
      call.signal.addEventListener("abort", () => resolve());
      await aborted;
      return streamed(body);
    });
    using client = await connect(started.port);
    client.send(GET);
    await eventually(() => started.calls.length === 1);
    expect(started.listener.active).toBe(1);
    leave(client.socket);
    await aborted;
    await eventually(() => body.log.includes("cancel"));
    expect(started.listener.active).toBe(0);
    expect(started.calls[0]?.signal.aborted).toBe(true);
  });

  test.each(ways)("$way while it is answered cancels the body before the signal aborts", async ({ leave }) => {
    const body = scriptedBody(["one"]);
    const logs: string[] = [];
    using started = start(async (call) => {
      call.signal.addEventListener("abort", () => {
        logs.push(body.log.join());
      });
      return streamed(body);
    });
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("one"));
    leave(client.socket);
    await eventually(() => logs.length > 0);
    expect(logs).toEqual(["cancel"]);
    expect(body.log).toEqual(["cancel"]);
    expect(started.listener.active).toBe(0);
    body.push("nobody");
    body.end();
    expect(started.errors).toEqual([]);
  });

  test("while more waits for it than the kernel takes cancels the body", async () => {
    const body = scriptedBody();
    using started = start(async () => streamed(body));
    using client = await connect(started.port);
    client.send(GET);
    await client.until((received) => received.includes("\r\n\r\n"));
    client.socket.pause();
    while (!body.isPaused) body.push(new Uint8Array(1_000_000));
    client.socket.terminate();
    await eventually(() => body.log.includes("cancel"));
    expect(started.listener.connections).toBe(0);
  });

  test("is told nothing when the gateway has no answer", async () => {
    using started = start(async () => null);
    using client = await connect(started.port);
    client.send(GET);
    expect(await client.closed()).toBe("reset");
    expect(started.listener.active).toBe(0);
  });
});

test("a signal asked for after the client left has aborted already", async () => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const seen: boolean[] = [];
  using started = start(async (call) => {
    await gone;
    seen.push(call.signal.aborted, call.signal.aborted);
    return text("late");
  });
  using client = await connect(started.port);
  client.send(GET);
  await eventually(() => started.calls.length === 1);
  client.socket.terminate();
  await eventually(() => started.listener.connections === 0);
  resolve();
  await eventually(() => seen.length === 2);
  expect(seen).toEqual([true, true]);
});
