import { describe, expect, test } from "bun:test";
import { durationMs } from "../kernel/time.ts";
import {
  answered,
  collect,
  deadlines,
  failed,
  NEVER,
  type Peer,
  request,
  respond,
  startServer,
  until,
} from "./scripted-server.test.ts";
import { createUpstream } from "./upstream.ts";

/** The socket of an answered request may be used again after this silence (pool.ts). */
const QUIET_MS = 60;

describe("reuse", () => {
  test("the same connection serves the next request after its silence, the one used last first", async () => {
    const upstream = createUpstream({ allowPrivate: true });
    using server = startServer({ onRequest: (peer) => peer.write(respond(String(peer.index))) });
    const ask = async () => (await collect(answered(await upstream.send(request(server.url), NEVER)))).body.toString();
    const first = await Promise.all([ask(), ask(), ask()]);
    expect(first.sort()).toEqual(["0", "1", "2"]);
    await Bun.sleep(QUIET_MS);
    const again = await ask();
    await Bun.sleep(QUIET_MS);
    expect(await ask()).toBe(again);
    expect(server.peers).toHaveLength(3);
    expect(upstream.stats()).toEqual({ openSockets: 3, idleSockets: 3, inFlight: 0 });
    await upstream.stop();
  });

  test.each([
    { name: "Connection: close", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" },
    { name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok" },
    { name: "extra bytes", answer: `${respond("ok")}\r\n` },
    { name: "a second response at once", answer: respond("ok") + respond("poison") },
    {
      name: "extra bytes behind the last chunk",
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n0\r\n\r\n",
    },
    { name: "a 204 with a body", answer: "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok" },
  ])("never after $name", async ({ answer }) => {
    const upstream = createUpstream({ allowPrivate: true });
    using server = startServer({ onRequest: (peer) => peer.write(answer) });
    expect((await collect(answered(await upstream.send(request(server.url), NEVER)))).failure).toBeNull();
    await until(() => upstream.stats().openSockets === 0);
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("an idle socket that the peer closes or speaks on is dropped, and the next request dials", async () => {
    const upstream = createUpstream({ allowPrivate: true });
    using server = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    for (const disturb of [(peer: Peer) => void peer.socket.end(), (peer: Peer) => peer.write("x")]) {
      await collect(answered(await upstream.send(request(server.url), NEVER)));
      expect(upstream.stats().idleSockets).toBe(1);
      const last = server.peers.at(-1);
      if (last !== undefined) disturb(last);
      await until(() => upstream.stats().openSockets === 0 && upstream.stats().idleSockets === 0);
    }
    expect(server.peers).toHaveLength(2);
  });

  test("idle sockets are bounded per origin and in all, and closed after their time", async () => {
    const upstream = createUpstream({
      allowPrivate: true,
      maxIdlePerOrigin: 2,
      maxIdleTotal: 3,
      idleSocketMs: durationMs(400),
    });
    using one = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    using two = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    const urls = [one.url, one.url, one.url, two.url, two.url];
    await Promise.all(urls.map(async (url) => collect(answered(await upstream.send(request(url), NEVER)))));
    expect(upstream.stats().idleSockets).toBe(3);
    await until(() => upstream.stats().openSockets === 0);
  });
});

test("a second, unasked response 0, 1 or 5 ms later never answers another request", async () => {
  const upstream = createUpstream({ allowPrivate: true });
  let sentPoisons = 0;
  using server = startServer({
    onRequest(peer, text) {
      const id = /^x-id: (.*)\r$/m.exec(text)?.[1] ?? "";
      peer.write(respond(id));
      const poison = () => {
        if (peer.isClosed) return;
        sentPoisons += 1;
        peer.write(respond("poison"));
      };
      const delayMs = [0, 1, 5][Number(id) % 3];
      if (delayMs === 0) setImmediate(poison);
      else setTimeout(poison, delayMs);
    },
  });
  const answers: string[] = [];
  const walk = async (from: number) => {
    for (let id = from; id < from + 25; id += 1) {
      const result = await upstream.send(request(server.url, { headers: [["x-id", String(id)]] }), NEVER);
      answers.push(`${id}=${(await collect(answered(result))).body.toString()}`);
    }
  };
  await Promise.all([0, 25, 50, 75, 100, 125, 150, 175].map(walk));
  expect(answers.filter((answer) => answer !== `${answer.split("=")[0]}=${answer.split("=")[0]}`)).toEqual([]);
  expect(answers).toHaveLength(200);
  expect(sentPoisons).toBeGreaterThan(50);
  await upstream.stop();
});

test("an origin that kept its silence often gets a shorter one; one unasked byte takes that back", async () => {
  const upstream = createUpstream({ allowPrivate: true });
  using server = startServer({
    onRequest(peer, text) {
      peer.write(respond("ok"));
      if (text.includes("/poison")) setTimeout(() => peer.isClosed || peer.write(respond("poison")), 5);
    },
  });
  const ask = async (target: string) =>
    (await collect(answered(await upstream.send(request(server.url, { target }), NEVER)))).body.toString();
  // 70 at a time with a full silence in between: 1,050 proofs.
  for (let round = 0; round < 15; round += 1) {
    await Promise.all(Array.from({ length: 70 }, () => ask("/")));
    await Bun.sleep(QUIET_MS);
  }
  const dialledBefore = server.peers.length;
  for (let again = 0; again < 300; again += 1) await ask("/");
  expect(server.peers.length - dialledBefore).toBe(0);
  await ask("/poison");
  await until(() => server.peers.some((peer) => peer.isClosed));
  await Promise.all(Array.from({ length: 100 }, () => ask("/")));
  const answers = [];
  for (let again = 0; again < 60; again += 1) answers.push(await ask("/poison"));
  expect(answers.filter((answer) => answer !== "ok")).toEqual([]);
  await upstream.stop();
});

describe("abort destroys the connection within 100 ms", () => {
  const upstream = createUpstream({ allowPrivate: true });

  async function abortedAfter(sending: ReturnType<typeof upstream.send>, abort: AbortController): Promise<number> {
    const startedMs = performance.now();
    abort.abort();
    expect(failed(await sending).kind).toBe("aborted");
    return performance.now() - startedMs;
  }

  test("before it starts", async () => {
    using server = startServer({});
    expect(failed(await upstream.send(request(server.url), AbortSignal.abort()))).toMatchObject({
      kind: "aborted",
      wasSent: false,
    });
    expect(server.peers).toHaveLength(0);
  });

  test("while the name resolves", async () => {
    const slow = createUpstream({ allowPrivate: true, resolve: () => new Promise(() => undefined) });
    const abort = new AbortController();
    expect(await abortedAfter(slow.send(request("http://slow.test"), abort.signal), abort)).toBeLessThan(100);
    expect(slow.stats()).toEqual({ openSockets: 0, idleSockets: 0, inFlight: 0 });
  });

  test("in the TLS handshake", async () => {
    using server = startServer({});
    const abort = new AbortController();
    const sending = upstream.send(request(server.url.replace("http:", "https:")), abort.signal);
    await until(() => (server.peers[0]?.received.length ?? 0) > 0);
    expect(await abortedAfter(sending, abort)).toBeLessThan(100);
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("while the request is written", async () => {
    using server = startServer({ onOpen: (peer) => peer.socket.pause() });
    const abort = new AbortController();
    const sending = upstream.send(request(server.url, { body: Buffer.alloc(32 * 1_024 * 1_024) }), abort.signal);
    await until(() => server.peers.length === 1 && upstream.stats().openSockets === 1);
    expect(await abortedAfter(sending, abort)).toBeLessThan(100);
    server.peers[0]?.socket.resume();
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("while the head is awaited", async () => {
    using server = startServer({ onRequest: () => undefined });
    const abort = new AbortController();
    const sending = upstream.send(request(server.url), abort.signal);
    await until(() => server.peers[0]?.requests === 1);
    expect(await abortedAfter(sending, abort)).toBeLessThan(100);
    await until(() => server.peers[0]?.isClosed === true);
  });

  test("in the body, and before anybody reads it", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") });
    for (const isRead of [true, false]) {
      const abort = new AbortController();
      const response = answered(await upstream.send(request(server.url), abort.signal));
      const early = isRead ? collect(response) : null;
      abort.abort();
      expect((await (early ?? collect(response))).failure?.kind).toBe("aborted");
      await until(() => server.peers.every((peer) => peer.isClosed));
    }
    expect(upstream.stats()).toEqual({ openSockets: 0, idleSockets: 0, inFlight: 0 });
  });

  test("by cancelling the body, without a word", async () => {
    using server = startServer({ onRequest: (peer) => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") });
    const { body } = answered(await upstream.send(request(server.url), NEVER));
    const heard: string[] = [];
    body.subscribe({
      onChunk: () => body.cancel(),
      onEnd: () => heard.push("end"),
      onFailure: () => heard.push("failure"),
    });
    body.cancel();
    await until(() => server.peers[0]?.isClosed === true);
    expect(heard).toEqual([]);
  });
});

describe("addresses", () => {
  const refusing = (addresses: readonly string[]) =>
    createUpstream({ allowPrivate: false, resolve: async () => addresses });

  test.each([
    { addresses: ["127.0.0.1"] },
    { addresses: ["8.8.8.8", "10.0.0.1"] },
    { addresses: ["::ffff:127.0.0.1"] },
    { addresses: ["not an address"] },
    {
      addresses: [
        ...Array.from({ length: 1_000 }, (_none, index) => `8.8.${index >> 8}.${index & 255}`),
        "192.168.0.1",
      ],
    },
  ])("refuses a name with a private answer %#", async ({ addresses }) => {
    const failure = failed(await refusing(addresses).send(request("https://rebind.example.com"), NEVER));
    expect(failure).toMatchObject({ kind: "address_refused", wasSent: false });
  });

  test.each([
    "https://127.0.0.1",
    "http://example.com",
    "https://[::1]",
    "https://localhost",
    "https://operator-name@example.com",
  ])("refuses the base URL %s even when it was saved", async (baseUrl) => {
    const failure = failed(await refusing(["8.8.8.8"]).send(request(baseUrl), NEVER));
    expect(failure).toMatchObject({ kind: "address_refused", wasSent: false });
    expect(failure.detail).not.toContain("operator-name");
  });

  test("tries the next address when one does not answer, and never asks the resolver again for it", async () => {
    using server = startServer({ onRequest: (peer) => peer.write(respond("ok")) });
    let lookups = 0;
    const resolve = async () => {
      lookups += 1;
      return ["::1", "127.0.0.1"];
    };
    const upstream = createUpstream({ allowPrivate: true, resolve });
    const sent = request(`http://two.test:${server.port}`);
    for (const _again of [1, 2]) await collect(answered(await upstream.send(sent, NEVER)));
    expect([server.peers.length, lookups]).toEqual([2, 1]);
    await upstream.stop();
  });

  test.each([
    {
      name: "no answer from the resolver",
      resolve: () => new Promise<string[]>(() => undefined),
      kind: "connect_timeout",
    },
    { name: "a failing resolver", resolve: () => Promise.reject(new Error("no")), kind: "connect" },
    { name: "no address", resolve: () => Promise.resolve([]), kind: "connect" },
    { name: "a closed port", resolve: () => Promise.resolve(["127.0.0.1"]), kind: "connect" },
  ])("$name is a $kind failure, nothing sent", async ({ resolve, kind }) => {
    const upstream = createUpstream({ allowPrivate: true, resolve });
    const sent = request("http://gone.test:1", { deadlines: deadlines({ connectMs: 150 }) });
    expect(failed(await upstream.send(sent, NEVER))).toMatchObject({ kind, wasSent: false });
    expect(upstream.stats()).toEqual({ openSockets: 0, idleSockets: 0, inFlight: 0 });
  });

  test("a server that speaks first is refused", async () => {
    using server = startServer({ onOpen: (peer) => peer.write("220 smtp ready\r\n") });
    const failure = failed(await createUpstream({ allowPrivate: true }).send(request(server.url), NEVER));
    expect(["connect", "protocol"]).toContain(failure.kind);
  });
});

test("a reader that pauses stops the upstream: bounded bytes are pulled, then all of them arrive", async () => {
  const upstream = createUpstream({ allowPrivate: true });
  const totalBytes = 200 * 1_024 * 1_024;
  const piece = Buffer.alloc(65_536, 7);
  let pushedBytes = 0;
  const push = (peer: Peer) => {
    while (pushedBytes < totalBytes) {
      const written = peer.socket.write(piece, 0, Math.min(piece.length, totalBytes - pushedBytes));
      if (written <= 0) return;
      pushedBytes += written;
    }
  };
  using server = startServer({
    onRequest(peer) {
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${totalBytes}\r\n\r\n`);
      push(peer);
    },
    onDrain: push,
  });
  const { body } = answered(await upstream.send(request(server.url), NEVER));
  let gotBytes = 0;
  let chunksAfterPause = -1;
  const ended = new Promise<boolean>((resolve) => {
    body.subscribe({
      onChunk(chunk) {
        gotBytes += chunk.length;
        if (gotBytes > 4_000_000 && chunksAfterPause < 0) body.pause();
        if (gotBytes > 4_000_000) chunksAfterPause += 1;
      },
      onEnd: () => resolve(true),
      onFailure: () => resolve(false),
    });
  });
  await until(() => chunksAfterPause >= 0);
  const rssBytes = process.memoryUsage.rss();
  await Bun.sleep(300);
  const pulledBytes = pushedBytes;
  expect(chunksAfterPause).toBe(0);
  expect(pulledBytes).toBeLessThan(48_000_000);
  expect(process.memoryUsage.rss() - rssBytes).toBeLessThan(32_000_000);
  if (process.env["SHOW_FIGURES"] === "1") {
    console.log({ gotBytes, pulledBytes, rssGrowthBytes: process.memoryUsage.rss() - rssBytes });
  }
  body.resume();
  expect([await ended, gotBytes]).toEqual([true, totalBytes]);
  await upstream.stop();
});
