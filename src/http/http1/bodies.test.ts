import { describe, expect, test } from "bun:test";
import type { Answer, Call } from "../../gateway/call.ts";
import { connect, echo, eventually, start, text } from "./raw-client.test.ts";

const LIMIT_BYTES = 32 * 1024 * 1024;

function head(fields: string): string {
  return `POST /v1/messages HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

/** Reads up to `limitBytes` and says how it went. */
function reading(limitBytes: number, reserve: (bytes: number) => boolean = () => true) {
  return async (call: Call): Promise<Answer | null> => {
    const body = await call.readBody(limitBytes, reserve);
    return body.ok ? text(`${body.value.length}`) : text(body.error, 400);
  };
}

describe("a body is read whole", () => {
  test("when it has the size of the limit", async () => {
    using started = start(async (call) => {
      const body = await call.readBody(LIMIT_BYTES, () => true);
      return text(body.ok ? Bun.hash(body.value).toString() : body.error);
    });
    using client = await connect(started.port);
    const body = new Uint8Array(LIMIT_BYTES).map((_, index) => index * 31 + (index >> 8));
    client.send(head(`Content-Length: ${LIMIT_BYTES}\r\n`));
    client.send(body);
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe(Bun.hash(body).toString());
  });

  test("in chunks of every size, and the next request is found behind it", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    const parts = Array.from({ length: 60 }, (_, index) =>
      String.fromCharCode(97 + (index % 26)).repeat(index * index + 1),
    );
    client.send(head("Transfer-Encoding: chunked\r\n"));
    for (const part of parts) client.send(`${part.length.toString(16)}\r\n${part}\r\n`);
    client.send(`0\r\nX-Checksum: 1\r\n\r\n${head("Content-Length: 4\r\n")}next`);
    const [first, second] = await client.answers(2);
    expect(String(first?.body)).toBe(parts.join(""));
    expect(String(second?.body)).toBe("next");
  });

  test("when it is announced with 100-continue, which is answered when the body is wanted and not before", async () => {
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    using started = start(async (call) => {
      await decided;
      return echo(call);
    });
    using client = await connect(started.port);
    client.send(head("Expect: 100-continue\r\nContent-Length: 4\r\n"));
    await eventually(() => started.calls.length === 1);
    await Bun.sleep(10);
    expect(client.received.length).toBe(0);
    decide();
    const [interim] = await client.answers(1);
    expect(interim?.status).toBe(100);
    client.send("body");
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("body");
  });

  test("without 100-continue when the client did not wait for it", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send(`${head("Expect: 100-continue\r\nContent-Length: 4\r\n")}body`);
    const [answer] = await client.answers(1);
    expect([answer?.status, String(answer?.body)]).toEqual([200, "body"]);
  });

  test("once: to read it again is a bug", async () => {
    using started = start(async (call) => {
      await call.readBody(10, () => true);
      return echo(call);
    });
    using client = await connect(started.port);
    client.send(`${head("Content-Length: 4\r\n")}body`);
    const [answer] = await client.answers(1);
    expect(answer?.status).toBe(500);
    expect(started.errors).toHaveLength(1);
  });
});

describe("a body is refused", () => {
  test("by its length, before anything is reserved or read", async () => {
    const reserved: number[] = [];
    using started = start(reading(1_000, (bytes) => reserved.push(bytes) > 0));
    using client = await connect(started.port);
    client.send(head("Content-Length: 1001\r\n"));
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("too_large");
    expect(answer?.headers.get("connection")).toBe("close");
    expect(reserved).toEqual([]);
  });

  test("in chunks, at the limit", async () => {
    using started = start(reading(1_000));
    using client = await connect(started.port);
    client.send(`${head("Transfer-Encoding: chunked\r\n")}3e8\r\n${"x".repeat(1_000)}\r\n1\r\n`);
    client.send("x");
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("too_large");
    expect(await client.closed()).toBe("fin");
  });

  test.each([
    { fields: "Content-Length: 500\r\n", bytes: "abcde", asked: [5] },
    { fields: "Transfer-Encoding: chunked\r\n", bytes: "3\r\nabc\r\n", asked: [3] },
  ])("when the budget has no room for it: $fields", async ({ fields, bytes, asked }) => {
    const reserved: number[] = [];
    using started = start(reading(1_000, (count) => reserved.push(count) < 0));
    using client = await connect(started.port);
    client.send(head(fields) + bytes);
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("over_budget");
    expect(reserved).toEqual([...asked]);
  });

  test.each(["Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n"])(
    "when it comes slower than 1 KiB a second after ten seconds: %s",
    async (fields) => {
      using started = start(reading(LIMIT_BYTES));
      using client = await connect(started.port);
      client.send(head(fields) + (fields.startsWith("T") ? "ffff\r\n" : ""));
      await eventually(() => started.calls.length === 1);
      client.send("x".repeat(10_240));
      await Bun.sleep(20);
      // 10 KiB came: that is good for ten more seconds.
      started.clock.advance(19_500);
      await Bun.sleep(5);
      expect(client.received.length).toBe(0);
      started.clock.advance(750);
      const [answer] = await client.answers(1);
      expect(String(answer?.body)).toBe("too_slow");
      expect(await client.closed()).toBe("fin");
    },
  );

  test.each(["x\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\nabc", "0\r\nContent-Length: 3\r\n\r\n", "0\r\nX y\r\n\r\n"])(
    "with 400 when its chunks are malformed, whatever the gateway would say: %j",
    async (bytes) => {
      using started = start(echo);
      using client = await connect(started.port);
      client.send(`${head("Transfer-Encoding: chunked\r\n")}1\r\na\r\n${bytes}${head("Content-Length: 0\r\n")}`);
      const [answer] = await client.answers(1);
      expect(answer?.status).toBe(400);
      expect(String(answer?.body)).toContain("GW_BAD_REQUEST");
      expect(await client.closed()).toBe("fin");
      expect(client.received.length).toBe(0);
      expect(started.calls).toHaveLength(1);
    },
  );
});

describe("a body that nobody reads", () => {
  test.each([0, 10, 200_000])(
    "is never read: the answer arrives, then the connection closes (%i bytes came)",
    async (count) => {
      using started = start(async () => text("who are you", 401));
      using client = await connect(started.port);
      client.send(head("Content-Length: 1000000\r\n") + "x".repeat(count));
      const [answer] = await client.answers(1);
      expect(answer?.status).toBe(401);
      expect(answer?.headers.get("connection")).toBe("close");
      await client.closed();
      expect(started.listener.active).toBe(0);
    },
  );

  test("does not hide the answer from a client that sends on for a while", async () => {
    using started = start(async () => text("too large", 413));
    using client = await connect(started.port);
    client.send(head("Content-Length: 60000\r\n"));
    await eventually(() => started.calls.length === 1);
    client.send("x".repeat(50_000));
    const [answer] = await client.answers(1);
    expect(String(answer?.body)).toBe("too large");
    expect(await client.closed()).toBe("fin");
  });

  test("is dropped only so far: then the connection is reset", async () => {
    using started = start(async () => text("no", 401));
    using client = await connect(started.port);
    client.send(head("Transfer-Encoding: chunked\r\n"));
    await client.answers(1);
    client.send("x".repeat(20_000_000));
    await eventually(() => started.listener.connections === 0);
    expect(client.queuedBytes).toBeGreaterThan(5_000_000);
  });

  test("is waited for only so long", async () => {
    using started = start(async () => text("no", 401));
    using client = await connect(started.port);
    client.send(head("Content-Length: 10\r\n"));
    await client.answers(1);
    expect(await client.closed()).toBe("fin");
    expect(started.listener.connections).toBe(1);
    started.clock.advance(1_250);
    expect(started.listener.connections).toBe(0);
  });

  test.each(["Content-Length: 37\r\n", "Transfer-Encoding: chunked\r\n"])(
    "is never taken for a request: %s",
    async (fields) => {
      using started = start(async () => text("no", 401));
      using client = await connect(started.port);
      client.send(`${head(fields)}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.answers(1);
      await client.closed();
      expect(client.received.length).toBe(0);
      expect(started.calls).toHaveLength(1);
    },
  );
});
