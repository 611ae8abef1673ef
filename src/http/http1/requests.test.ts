import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Answer, Call } from "../../gateway/call.ts";
import { connect, echo, scriptedBody, start, text } from "./raw-client.test.ts";

const GET = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n";

function post(body: string, fields = ""): string {
  return `POST /v1/messages HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

describe("a call", () => {
  test("is the request as it came", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send(
      `POST /v1/Messages%20x?beta=true&a=/../ HTTP/1.1\r\nhOST: a\r\nX-B: 1\r\nx-a:  2\t\r\nX-b: 3\r\ncontent-length: 2\r\n\r\nhi`,
    );
    const [answer] = await client.answers(1);
    expect(answer?.body.toString()).toBe("hi");
    const call = started.calls[0] as Call;
    expect(call).toMatchObject({
      method: "POST",
      path: "/v1/Messages%20x",
      query: "?beta=true&a=/../",
      declaredBytes: 2,
      acceptedAtMs: started.clock.now(),
    });
    expect(call.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect([...call.headers]).toEqual([
      ["hOST", "a"],
      ["X-B", "1"],
      ["x-a", "2"],
      ["X-b", "3"],
      ["content-length", "2"],
    ]);
    expect(call.header("x-b")).toBe("1, 3");
    expect(call.header("X-A")).toBe("2");
    expect(call.header("x-c")).toBeNull();
    expect(call.signal.aborted).toBe(false);
  });

  test.each([
    { fields: "", declaredBytes: 0 },
    { fields: "Content-Length: 0\r\n", declaredBytes: 0 },
    { fields: "Content-Length: 7\r\n", declaredBytes: 7 },
    { fields: "Transfer-Encoding: chunked\r\n", declaredBytes: null },
  ])("declares $declaredBytes bytes for $fields", async ({ fields, declaredBytes }) => {
    using started = start(async () => text("ok"));
    using client = await connect(started.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    await client.answers(1);
    expect(started.calls[0]?.declaredBytes).toBe(declaredBytes);
  });

  test("is the same however its bytes arrive", async () => {
    using started = start(async (call) => {
      const body = await call.readBody(1_000, () => true);
      return text(
        JSON.stringify([call.method, call.path, call.query, [...call.headers], body.ok ? String(body.value) : ""]),
      );
    });
    const chunked =
      "POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-T: 1\r\n\r\n";
    const bytes = post("hello", "X-Api-Key: k\r\n") + GET + chunked;
    using whole = await connect(started.port);
    whole.send(bytes);
    const expected = (await whole.answers(3)).map((answer) => answer.body.toString());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
        using client = await connect(started.port);
        const edges = [0, ...cuts, bytes.length].sort((a, b) => a - b);
        for (let index = 1; index < edges.length; index += 1) {
          client.send(bytes.slice(edges[index - 1], edges[index]));
          // Lets the server read what was sent so far.
          await new Promise((resolve) => setImmediate(resolve));
        }
        const answers = await client.answers(3);
        expect(answers.map((answer) => answer.body.toString())).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a connection", () => {
  const answers: Record<string, () => Answer> = {
    "an empty body": () => ({ status: 200, headers: [], body: null }),
    "a small body": () => text("small"),
    "a large body": () => text("x".repeat(300_000)),
    "a status without a body": () => ({ status: 204, headers: [], body: null }),
    "an error": () => text("no", 429),
    "a body in chunks": () => ({ status: 200, headers: [], body: scriptedBody(["a", "b"], true) }),
    "a pushed body of known length": () => ({
      status: 200,
      headers: [],
      body: scriptedBody(["a", "b"], true),
      contentLength: 2,
    }),
  };

  test.each(Object.entries(answers))("serves on after %s", async (_name, answer) => {
    using started = start(async (call) => (call.method === "GET" ? answer() : echo(call)));
    using client = await connect(started.port);
    for (let round = 0; round < 3; round += 1) {
      client.send(GET);
      const [first] = await client.answers(1);
      expect(first?.headers.get("connection")).toBeNull();
      client.send(post("again"));
      const [second] = await client.answers(1);
      expect(second?.body.toString()).toBe("again");
    }
    expect(started.listener.active).toBe(0);
    expect(started.listener.connections).toBe(1);
  });

  test("serves on after a handler failed, which is reported", async () => {
    using started = start(async (call) => {
      if (call.method === "GET") throw new Error("a bug");
      return echo(call);
    });
    using client = await connect(started.port);
    client.send(GET + post("again"));
    const [failed, second] = await client.answers(2);
    expect(failed?.status).toBe(500);
    expect(JSON.parse(String(failed?.body))).toMatchObject({ type: "error", error: { type: "api_error" } });
    expect(second?.body.toString()).toBe("again");
    expect(started.errors).toEqual([new Error("a bug")]);
  });

  test("reports a page that throws at once", async () => {
    const pages = new Map([
      ["/healthz", () => text("well")],
      [
        "/metrics",
        () => {
          throw new Error("a bug");
        },
      ],
    ]);
    using started = start(echo, { pages });
    using client = await connect(started.port);
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz?x HTTP/1.1\r\nHost: a\r\n\r\n");
    const [failed, healthy] = await client.answers(2);
    expect([failed?.status, healthy?.status, String(healthy?.body)]).toEqual([500, 200, "well"]);
    expect(started.errors).toHaveLength(1);
    expect(started.calls).toHaveLength(0);
  });

  test("closes after the answer when the client asks for it", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send(post("bye", "Connection: close\r\n") + GET);
    const [answer] = await client.answers(1);
    expect(answer?.headers.get("connection")).toBe("close");
    expect(await client.closed()).toBe("fin");
    expect(client.received.length).toBe(0);
    expect(started.calls).toHaveLength(1);
  });

  test("gives HTTP/1.0 its body up to the close, never chunks", async () => {
    using started = start(async () => ({ status: 200, headers: [], body: scriptedBody(["one ", "two"], true) }));
    using client = await connect(started.port);
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    expect(await client.closed()).toBe("fin");
    const received = client.received.toString();
    expect(received).toEndWith("\r\nConnection: close\r\n\r\none two");
    expect(received).not.toContain("ransfer-");
  });

  test("has a Date of the second, and answers HEAD without a body", async () => {
    using started = start(async () => text("not sent"));
    using client = await connect(started.port);
    client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n`);
    const head = (await client.until((received) => received.includes("\r\n\r\n"))).toString();
    expect(head).toEndWith("\r\n\r\n");
    expect(head).toContain("\r\nContent-Length: 8\r\n");
    expect(head).toContain(`\r\nDate: ${new Date(started.clock.now()).toUTCString()}\r\n`);
  });

  test("cancels a pushed body that HEAD does not want", async () => {
    const body = scriptedBody(["never sent"]);
    using started = start(async () => ({ status: 200, headers: [], body }));
    using client = await connect(started.port);
    client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.answers(1);
    expect(body.log).toEqual(["cancel"]);
  });
});

describe("pipelined requests", () => {
  test.each([2, 10, 1_000])("are answered in their order: %i", async (count) => {
    using started = start(async (call) => {
      // Every other one takes longer than the one behind it.
      if (call.path.endsWith("0")) await Bun.sleep(1);
      return call.header("x-api-key") === null ? text(call.path, 401) : text(call.path);
    });
    using client = await connect(started.port);
    let bytes = "";
    for (let index = 0; index < count; index += 1) {
      bytes += `GET /${index} HTTP/1.1\r\nHost: a\r\n${index === 1 ? "" : "x-api-key: k\r\n"}\r\n`;
    }
    client.send(bytes);
    const answers = await client.answers(count);
    expect(answers.map((answer) => answer.body.toString())).toEqual(
      Array.from({ length: count }, (_, index) => `/${index}`),
    );
    expect(answers[1]?.status).toBe(401);
  });

  test("let other connections have their turn", async () => {
    let others = 0;
    const pages = new Map([["/healthz", () => text(String(others))]]);
    using started = start(
      async () => {
        others += 1;
        return text("other");
      },
      { pages },
    );
    using hog = await connect(started.port);
    using client = await connect(started.port);
    hog.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3_000));
    client.send(GET);
    const [first] = await client.answers(1);
    expect(String(first?.body)).toBe("other");
    const answers = await hog.answers(3_000);
    expect(String(answers[0]?.body)).toBe("0");
    expect(String(answers.at(-1)?.body)).toBe("1");
  });

  test("behind a slow one are not read without bound", async () => {
    const { promise: slow, resolve } = Promise.withResolvers<void>();
    using started = start(async (call) => {
      if (call.path === "/slow") await slow;
      else await call.readBody(2_000_000, () => true);
      return text(call.path);
    });
    using client = await connect(started.port);
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(post("x".repeat(1_000_000)).repeat(30));
    await Bun.sleep(50);
    expect(started.calls).toHaveLength(1);
    // The kernel holds some MB for both ends, the listener 64 KiB and one read.
    expect(client.queuedBytes).toBeGreaterThan(15_000_000);
    resolve();
    expect(await client.answers(31)).toHaveLength(31);
  });

  test("behind a malformed one are never looked at", async () => {
    using started = start(echo);
    using client = await connect(started.port);
    client.send(`${post("one")}GET /x HTTP/1.1\r\nHost : a\r\n\r\n${GET}`);
    const [good, bad] = await client.answers(2);
    expect([good?.status, bad?.status]).toEqual([200, 400]);
    expect(await client.closed()).toBe("fin");
    expect(client.received.length).toBe(0);
    expect(started.calls).toHaveLength(1);
  });
});

describe("a request that is no HTTP", () => {
  test.each([
    { bytes: "GET /a b HTTP/1.1\r\n\r\n", status: 400, type: "invalid_request_error", code: "GW_BAD_REQUEST" },
    {
      bytes: "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
      status: 400,
      type: "invalid_request_error",
      code: "GW_BAD_REQUEST",
    },
    {
      bytes: `GET /${"a".repeat(9_000)} HTTP/1.1\r\n`,
      status: 414,
      type: "invalid_request_error",
      code: "GW_TARGET_TOO_LONG",
    },
    {
      bytes: "POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
      status: 417,
      type: "invalid_request_error",
      code: "GW_EXPECT",
    },
    {
      bytes: `GET / HTTP/1.1\r\nX: ${"y".repeat(17_000)}`,
      status: 431,
      type: "invalid_request_error",
      code: "GW_HEAD_TOO_LARGE",
    },
    { bytes: "GET / HTTP/3.0\r\n\r\n", status: 505, type: "invalid_request_error", code: "GW_HTTP_VERSION" },
  ])(
    "is answered with $status in the API's own shape, and the connection is closed",
    async ({ bytes, status, type, code }) => {
      using started = start(echo);
      using client = await connect(started.port);
      client.send(bytes);
      const [answer] = await client.answers(1);
      expect(answer?.status).toBe(status);
      expect(answer?.headers.get("connection")).toBe("close");
      expect(answer?.headers.get("content-type")).toBe("application/json; charset=utf-8");
      const body = JSON.parse(String(answer?.body));
      expect(body).toMatchObject({ type: "error", error: { type, message: expect.stringContaining(code) } });
      expect(body.request_id).toBe(answer?.headers.get("x-better-ccflare-request-id"));
      expect(await client.closed()).toBe("fin");
      expect(started.calls).toHaveLength(0);
      expect(started.errors).toEqual([]);
    },
  );

  test("never throws, never hangs and never reaches the gateway twice, whatever it is", async () => {
    using started = start(echo);
    const seed = post("hello", "X-Api-Key: k\r\nTransfer: x\r\n");
    const mutation = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 5 }), async (mutations) => {
        const bytes = Buffer.from(seed);
        for (const [at, byte] of mutations) bytes[at] = byte;
        using client = await connect(started.port);
        client.send(bytes);
        // What follows ends every request that the mutation left unfinished, or is one more.
        client.send(`\r\n\r\nGET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        client.socket.shutdown();
        await client.closed();
        expect(started.errors).toEqual([]);
      }),
      { numRuns: 300 },
    );
    expect(started.listener.active).toBe(0);
  });
});
