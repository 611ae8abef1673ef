import { describe, expect, test } from "bun:test";
import { Secret } from "../kernel/secret.ts";
import { durationMs } from "../kernel/time.ts";
import {
  answered,
  collect,
  deadlines,
  failed,
  NEVER,
  request,
  respond,
  SECRET_TEXT,
  startServer,
  until,
} from "./scripted-server.test.ts";
import { createUpstream } from "./upstream.ts";

const upstream = createUpstream({ allowPrivate: true });

describe("what is sent", () => {
  test("Host first, then the given headers in order and case, the length and the one credential", async () => {
    const seen: string[] = [];
    using server = startServer({
      onRequest(peer, text) {
        seen.push(text);
        peer.write(respond("ok"));
      },
    });
    const headers = [
      ["X-B", "2"],
      ["accept", "*/*"],
      ["x-b", "1\t\xe9"],
      ["X-Empty", ""],
    ] as const;
    const body = Buffer.from("{}");
    const sent = request(`${server.url}/prefix/`, { target: "/v1/messages?beta=true", headers, body });
    expect((await collect(answered(await upstream.send(sent, NEVER)))).body.toString()).toBe("ok");
    const bearer = { ...sent, method: "GET", body: null, headers: [], credentialKind: "bearer" } as const;
    await collect(answered(await upstream.send(bearer, NEVER)));
    await collect(answered(await upstream.send({ ...bearer, method: "POST" }, NEVER)));
    const host = `Host: 127.0.0.1:${server.port}`;
    expect(seen).toEqual([
      `POST /prefix/v1/messages?beta=true HTTP/1.1\r\n${host}\r\nX-B: 2\r\naccept: */*\r\nx-b: 1\t\xe9\r\nX-Empty: \r\n` +
        `Content-Length: 2\r\nx-api-key: ${SECRET_TEXT}\r\n\r\n{}`,
      `GET /prefix/v1/messages?beta=true HTTP/1.1\r\n${host}\r\nAuthorization: Bearer ${SECRET_TEXT}\r\n\r\n`,
      `POST /prefix/v1/messages?beta=true HTTP/1.1\r\n${host}\r\nContent-Length: 0\r\nAuthorization: Bearer ${SECRET_TEXT}\r\n\r\n`,
    ]);
  });

  test.each([1, 16_384, 16_385, 70_000, 32 * 1_024 * 1_024])("a body of %d bytes, unchanged", async (lengthBytes) => {
    const body = Buffer.alloc(lengthBytes, "0123456789abcdefg");
    const hasher = new Bun.CryptoHasher("sha256");
    let receivedBytes = 0;
    let headBytes = 0;
    using server = startServer({
      onData(peer, data) {
        peer.received = Buffer.alloc(0);
        if (headBytes === 0) {
          headBytes = data.indexOf("\r\n\r\n") + 4;
          hasher.update(data.subarray(headBytes));
          receivedBytes -= headBytes;
        } else {
          hasher.update(data);
        }
        receivedBytes += data.length;
        if (receivedBytes === lengthBytes) peer.write(respond("ok"));
      },
    });
    answered(await upstream.send(request(server.url, { body }), NEVER)).body.cancel();
    expect(hasher.digest("hex")).toBe(new Bun.CryptoHasher("sha256").update(body).digest("hex"));
  });

  test.each([
    { headers: [["a\r\nb", "c"]] },
    { headers: [["a", "b\r\nc: d"]] },
    { headers: [["a", "b\nc"]] },
    { headers: [["a", "b\rc"]] },
    { headers: [["a", "b\0"]] },
    { headers: [["a", "\x7f"]] },
    { headers: [["a", "\u0100"]] },
    { headers: [["", "b"]] },
    { headers: [["a b", "c"]] },
    { headers: [["a:", "c"]] },
    { headers: [["\u010d", "c"]] },
    { headers: [["Host", "evil"]] },
    { headers: [["content-LENGTH", "3"]] },
    { headers: [["Transfer-Encoding", "chunked"]] },
    { headers: [["connection", "close"]] },
    { headers: [["X-Api-Key", "k"]] },
    { headers: [["AUTHORIZATION", "k"]] },
    { headers: [["Expect", "100-continue"]] },
    { headers: [["upgrade", "h2c"]] },
    { method: "GET /x HTTP/1.1\r\nA: b" },
    { method: "" },
    { method: "CONNECT" },
    { target: "v1" },
    { target: "/a b" },
    { target: "/a\r\nb" },
    { target: "/\u0101" },
    { target: "/a#b" },
    { target: "" },
    { credential: new Secret("k", "") },
    { credential: new Secret("k", "a\r\nb: c") },
    { credential: new Secret("k", "a b") },
  ] as const)("refuses %j before it connects", async (changes) => {
    using server = startServer({});
    const failure = failed(await upstream.send(request(server.url, changes), NEVER));
    expect(failure).toMatchObject({ kind: "protocol", wasSent: false });
    expect(server.peers).toHaveLength(0);
  });
});

describe("what comes back", () => {
  test.each<{ answer: string; body: string; contentLength: number | null }>([
    { answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", body: "", contentLength: 0 },
    { answer: respond("hello"), body: "hello", contentLength: 5 },
    {
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: x\r\n\r\n",
      body: "hello",
      contentLength: null,
    },
    { answer: `HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n${respond("x")}`, body: "x", contentLength: 1 },
    { answer: "HTTP/1.1 204 No\r\n\r\n", body: "", contentLength: null },
    {
      answer: "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno",
      body: "no",
      contentLength: 2,
    },
    {
      answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00",
      body: "\x1f\x8b\x00",
      contentLength: 3,
    },
    {
      answer: `HTTP/1.1 200 OK\r\nA: ${"b".repeat(65_536)}\r\nContent-Length: 1\r\n\r\nx`,
      body: "x",
      contentLength: 1,
    },
  ])("the same response whole or cut in pieces %#", async ({ answer, body, contentLength }) => {
    for (const pieceBytes of [1e6, 7, 1]) {
      if (answer.length / pieceBytes > 1_000) continue;
      using server = startServer({
        onRequest(peer) {
          const writePieces = async () => {
            for (let at = 0; at < answer.length; at += pieceBytes) {
              peer.write(answer.slice(at, at + pieceBytes));
              if (pieceBytes < 1e6) await Bun.sleep(0);
            }
          };
          void writePieces();
        },
      });
      const response = answered(await upstream.send(request(server.url), NEVER));
      expect(response.contentLength).toBe(contentLength);
      expect(response.status).toBe(Number(answer.match(/1\.1 ([2-5]\d\d)/)?.[1]));
      const collected = await collect(response);
      expect({ body: collected.body.toString("latin1"), failure: collected.failure }).toEqual({ body, failure: null });
    }
  });

  test("a body that ends with the connection, and no reuse of that connection", async () => {
    using server = startServer({
      onRequest(peer) {
        peer.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
        peer.socket.end();
      },
    });
    for (const _again of [1, 2]) {
      const collected = await collect(answered(await upstream.send(request(server.url), NEVER)));
      expect([collected.body.toString(), collected.failure]).toEqual(["until the end", null]);
    }
    expect(server.peers).toHaveLength(2);
  });

  test.each([
    { name: "a short length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", kind: "reset" },
    {
      name: "chunks without the last",
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
      kind: "reset",
    },
    {
      name: "bad chunks",
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort0x3\r\n",
      kind: "protocol",
    },
  ])("$name as a failure after the bytes that did come", async ({ answer, kind }) => {
    using server = startServer({
      onRequest(peer) {
        peer.write(answer);
        peer.socket.end();
      },
    });
    const { body, failure } = await collect(answered(await upstream.send(request(server.url), NEVER)));
    expect([body.toString(), failure?.kind, failure?.wasSent]).toEqual(["short", kind, true]);
  });

  test("a reset in the middle of a close-delimited body as a failure", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\n\r\nabc") });
    const response = answered(await upstream.send(request(server.url), NEVER));
    const collected = collect(response, () => server.peers[0]?.socket.terminate());
    expect((await collected).failure?.kind).toBe("reset");
  });

  test.each([
    "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 103 E\r\n\r\n".repeat(11),
    "HTTP/1.1 999 X\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\n\n",
    "garbage\r\n",
    `HTTP/1.1 200 OK\r\nA: ${"b".repeat(131_072)}\r\n\r\n`,
  ])("protocol failure %#, and the socket is destroyed", async (answer) => {
    using server = startServer({ onRequest: (peer) => peer.write(answer) });
    const failure = failed(await upstream.send(request(server.url), NEVER));
    expect(failure).toMatchObject({ kind: "protocol", wasSent: true });
    expect(failure.detail).not.toContain(SECRET_TEXT);
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("an answer that comes before the request is written, and the socket closed behind it", async () => {
    using server = startServer({
      onOpen: (peer) => peer.socket.pause(),
      onData: () => undefined,
    });
    const body = Buffer.alloc(32 * 1_024 * 1_024);
    const sending = upstream.send(request(server.url, { body }), NEVER);
    await until(() => server.peers.length === 1);
    server.peers[0]?.write("HTTP/1.1 413 Too large\r\nContent-Length: 3\r\n\r\nbig");
    const response = answered(await sending);
    expect(response.status).toBe(413);
    expect((await collect(response)).body.toString()).toBe("big");
    server.peers[0]?.socket.resume();
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("a connection that closes before the answer as reset, sent", async () => {
    using server = startServer({ onRequest: (peer) => peer.socket.end() });
    expect(failed(await upstream.send(request(server.url), NEVER))).toMatchObject({ kind: "reset", wasSent: true });
  });
});

describe("deadlines", () => {
  test("of the response head", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\nA") });
    const failure = failed(
      await upstream.send(request(server.url, { deadlines: deadlines({ headersMs: 150 }) }), NEVER),
    );
    expect(failure).toMatchObject({ kind: "headers_timeout", wasSent: true });
  });

  test("of an upstream that stops reading the request", async () => {
    using server = startServer({ onOpen: (peer) => peer.socket.pause() });
    const sent = request(server.url, {
      body: Buffer.alloc(32 * 1_024 * 1_024),
      deadlines: deadlines({ headersMs: 200 }),
    });
    expect(failed(await upstream.send(sent, NEVER))).toMatchObject({ kind: "headers_timeout", wasSent: true });
  });

  test("of silence in the body, and of the whole", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") });
    const idle = request(server.url, { deadlines: deadlines({ idleMs: 150 }) });
    expect((await collect(answered(await upstream.send(idle, NEVER)))).failure?.kind).toBe("idle_timeout");
    const total = request(server.url, { deadlines: deadlines({ totalMs: 150 }) });
    expect((await collect(answered(await upstream.send(total, NEVER)))).failure?.kind).toBe("total_timeout");
  });

  test("silence does not count while the reader pauses", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc") });
    const sent = request(server.url, { deadlines: deadlines({ idleMs: 100 }) });
    const response = answered(await upstream.send(sent, NEVER));
    const collected = collect(response, () => response.body.pause());
    await Bun.sleep(600);
    server.peers[0]?.write("def");
    response.body.resume();
    await until(() => upstream.stats().inFlight === 0);
    response.body.resume();
    expect([(await collected).body.toString(), (await collected).failure]).toEqual(["abcdef", null]);
  });
});

test("stops: refuses, drains, closes what is idle and aborts what is left", async () => {
  const stopping = createUpstream({ allowPrivate: true, drainMs: durationMs(50) });
  using server = startServer({
    onRequest: (peer, text) =>
      peer.write(text.includes("/hang") ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc" : respond("ok")),
  });
  await collect(answered(await stopping.send(request(server.url), NEVER)));
  const hanging = collect(answered(await stopping.send(request(server.url, { target: "/hang" }), NEVER)));
  expect(stopping.stats()).toEqual({ openSockets: 2, idleSockets: 1, inFlight: 1 });
  await stopping.stop();
  expect((await hanging).failure?.kind).toBe("aborted");
  expect(stopping.stats()).toEqual({ openSockets: 0, idleSockets: 0, inFlight: 0 });
  expect(failed(await stopping.send(request(server.url), NEVER)).kind).toBe("aborted");
  await until(() => server.peers.every((peer) => peer.isClosed));
});
