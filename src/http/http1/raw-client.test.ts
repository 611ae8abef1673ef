import type { Socket, TLSOptions } from "bun";
import { createCertificateAuthority } from "../../../sim/certificate-authority.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import type { BodySink, Clock, PushBody, UpstreamFailure } from "../../gateway/ports.ts";
import { epochMs } from "../../kernel/time.ts";
import { type DataListener, type DataListenerOptions, listenData } from "../data-listener.ts";
import { openTls } from "../tls/tls-keeper.ts";
import type { TlsDoor } from "./handshakes.ts";

// What the socket tests of this room share; it holds no test of its own.

/** A clock that moves only when told, in ticks of the listener. */
export type ManualClock = Clock & { advance(ms: number): void };

export function manualClock(): ManualClock {
  let nowMs = 1_800_000_000_000;
  const callbacks = new Set<() => void>();
  return {
    now: () => epochMs(nowMs),
    sleep: () => new Promise(() => undefined),
    every(_span, callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    advance(ms) {
      for (let leftMs = ms; leftMs > 0; leftMs -= 250) {
        nowMs += Math.min(250, leftMs);
        for (const callback of callbacks) callback();
      }
    },
  };
}

/** Set by test/long/listener-tls.long.ts: every test of this room then runs over TLS. */
export const IS_OVER_TLS = process.env["BCCF_LISTENER_TESTS_OVER_TLS"] === "1";
const overTls = IS_OVER_TLS ? openTestDoor() : null;

function openTestDoor() {
  const authority = createCertificateAuthority();
  const { certFile, keyFile } = authority.issue("localhost", { names: "DNS:localhost" });
  const opened = openTls({
    paths: { certFile, keyFile, clientCaFile: null, crlFile: null },
    minVersion: "1.2",
    clock: { ...manualClock(), now: () => epochMs(Date.now()) },
    onSwapped: () => undefined,
    onRefused: () => undefined,
  });
  authority[Symbol.dispose]();
  if (!opened.ok) throw new Error(`Cannot start: ${opened.error.fact}`);
  const { terms } = opened.value;
  const door: TlsDoor = { terms: () => terms, clientNames: [], onRefusedClient: () => undefined };
  return { door, client: { ca: authority.root, serverName: "localhost" } };
}

export type Serve = (call: Call) => Promise<Answer | null>;

export type Started = Disposable & {
  readonly listener: DataListener;
  readonly port: number;
  readonly clock: ManualClock;
  readonly calls: Call[];
  readonly errors: unknown[];
};

export function start(serve: Serve, changes: Partial<DataListenerOptions> = {}): Started {
  const clock = manualClock();
  const calls: Call[] = [];
  const errors: unknown[] = [];
  const listener = listenData({
    clock,
    host: "127.0.0.1",
    port: 0,
    pages: new Map(),
    allowedHosts: ["a", "b"],
    onError: (cause) => errors.push(cause),
    tls: overTls?.door ?? null,
    ...changes,
    serve(call) {
      calls.push(call);
      return serve(call);
    },
  });
  return { listener, port: listener.port, clock, calls, errors, [Symbol.dispose]: () => void listener.stop() };
}

export function text(body: string, status = 200): Answer {
  return { status, headers: [["content-type", "text/plain"]], body: new TextEncoder().encode(body) };
}

/** Reads the body and answers with it. */
export async function echo(call: Call): Promise<Answer | null> {
  const body = await call.readBody(64 * 1024 * 1024, () => true);
  if (body.ok) return { status: 200, headers: [], body: body.value };
  return body.error === "client_gone" ? null : text(body.error, 400);
}

// --- client -----------------------------------------------------------------------------------------------------

export type RawClient = Disposable & {
  readonly socket: Socket<undefined>;
  received: Buffer;
  end: "open" | "fin" | "reset";
  /** What neither the server nor the kernel took yet. */
  readonly queuedBytes: number;
  /** Queues what the kernel does not take. */
  send(data: string | Uint8Array): void;
  /** Resolves with all that was received when `isEnough` says so; rejects after five seconds. */
  until(isEnough: (received: Buffer) => boolean): Promise<Buffer>;
  /** Resolves when the server closed or reset the connection. */
  closed(): Promise<"fin" | "reset">;
  /** The next `count` whole answers, taken from `received`. */
  answers(count: number): Promise<ParsedAnswer[]>;
};

/** `tls`: what the client trusts, and shows. */
export async function connect(port: number, tls: TLSOptions | undefined = overTls?.client): Promise<RawClient> {
  let queue = Buffer.alloc(0);
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of waiting) check();
  };
  const flush = () => {
    if (queue.length > 0) queue = queue.subarray(Math.max(0, client.socket.write(queue)));
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    ...(tls === undefined ? {} : { tls }),
    socket: {
      data(_socket, data) {
        client.received = client.received.length === 0 ? data : Buffer.concat([client.received, data]);
        wake();
      },
      drain: flush,
      end() {
        client.end = "fin";
        wake();
      },
      error() {
        // A reset is what some tests provoke.
      },
      close(_socket, error) {
        if (client.end === "open") client.end = error === undefined ? "fin" : "reset";
        wake();
      },
    },
  });
  const until = (isEnough: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (!isEnough()) return;
        waiting.delete(check);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(check);
        const got = client.received.toString("latin1", 0, 300);
        reject(new Error(`Cannot see it come: the connection is ${client.end}, received ${JSON.stringify(got)}`));
      }, 5_000);
      waiting.add(check);
      check();
    });
  const client: RawClient = {
    socket,
    received: Buffer.alloc(0),
    end: "open",
    get queuedBytes() {
      return queue.length;
    },
    send(data) {
      queue = Buffer.concat([queue, typeof data === "string" ? Buffer.from(data, "latin1") : data]);
      flush();
    },
    async until(isEnough) {
      await until(() => isEnough(client.received));
      return client.received;
    },
    async closed() {
      await until(() => client.end !== "open");
      return client.end === "reset" ? "reset" : "fin";
    },
    async answers(count) {
      const answers: ParsedAnswer[] = [];
      while (answers.length < count) {
        let parsed: ParsedAnswer | null = null;
        await until(() => {
          parsed = parseAnswer(client.received);
          return parsed !== null || client.end !== "open";
        });
        const answer: ParsedAnswer | null = parsed;
        if (answer === null) throw new Error(`Cannot read answer ${answers.length}: the connection is ${client.end}`);
        answers.push(answer);
        client.received = client.received.subarray((answer as ParsedAnswer).lengthBytes);
      }
      return answers;
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
  return client;
}

export type ParsedAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly lengthBytes: number;
};

/** One whole answer at the start of `bytes`, framed by length or by chunks; null while it is not complete. */
export function parseAnswer(bytes: Buffer): ParsedAnswer | null {
  const headBytes = bytes.indexOf("\r\n\r\n") + 4;
  if (headBytes < 4) return null;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headBytes - 4).split("\r\n");
  const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`Cannot read an answer: ${JSON.stringify(statusLine)}`);
  const headers = new Headers(lines.map((line) => line.split(": ", 2) as [string, string]));
  if (headers.get("transfer-encoding") === "chunked") return parseChunked(bytes, headBytes, { status, headers });
  const bodyBytes = status === 100 ? 0 : Number(headers.get("content-length") ?? 0);
  const lengthBytes = headBytes + bodyBytes;
  return bytes.length < lengthBytes
    ? null
    : { status, headers, body: bytes.subarray(headBytes, lengthBytes), lengthBytes };
}

function parseChunked(
  bytes: Buffer,
  start: number,
  head: Pick<ParsedAnswer, "status" | "headers">,
): ParsedAnswer | null {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return null;
    if (bytes.toString("latin1", next - 2, next) !== "\r\n") throw new Error("Cannot read a chunk: it has no line end");
    if (size === 0) return { ...head, body: Buffer.concat(parts), lengthBytes: next };
    parts.push(bytes.subarray(lineEnd + 2, next - 2));
    at = next;
  }
}

// --- pushed bodies ----------------------------------------------------------------------------------------------

/** A pushed body that a test plays. `log` holds what the listener asked for. */
export type ScriptedBody = PushBody & {
  readonly log: ("pause" | "resume" | "cancel")[];
  readonly isPaused: boolean;
  readonly subscribed: Promise<void>;
  push(chunk: string | Uint8Array): void;
  end(): void;
  fail(): void;
};

export const CUT: UpstreamFailure = { kind: "reset", detail: "the stream broke off", wasSent: true };

/** `held` is delivered inside subscribe(); with `isWhole` the end as well. */
export function scriptedBody(held: readonly string[] = [], isWhole = false): ScriptedBody {
  const log: ScriptedBody["log"] = [];
  let sink: BodySink | null = null;
  let isPaused = false;
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  const push = (chunk: string | Uint8Array) =>
    sink?.onChunk(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
  return {
    log,
    subscribed,
    get isPaused() {
      return isPaused;
    },
    subscribe(client) {
      sink = client;
      held.forEach(push);
      if (isWhole) sink.onEnd();
      resolve();
    },
    pause() {
      isPaused = true;
      log.push("pause");
    },
    resume() {
      isPaused = false;
      log.push("resume");
    },
    cancel() {
      log.push("cancel");
    },
    push,
    end: () => sink?.onEnd(),
    fail: () => sink?.onFailure(CUT),
  };
}

/** For facts that no event announces. Fails after two seconds. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 2_000;
  while (!isTrue()) {
    if (performance.now() > giveUpMs) throw new Error(`Cannot see it come true: ${isTrue.toString()}`);
    await Bun.sleep(2);
  }
}
