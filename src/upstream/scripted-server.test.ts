import type { Socket, TLSOptions } from "bun";
import type {
  HeaderField,
  UpstreamDeadlines,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamResponse,
} from "../gateway/ports.ts";
import type { Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { durationMs } from "../kernel/time.ts";

// What the socket tests of this room share; it holds no test of its own.

/** What a script may do with its connection. `write` queues what the kernel does not take. */
export type Peer = {
  readonly socket: Socket<Peer>;
  write(data: string | Uint8Array): void;
  readonly index: number;
  received: Buffer;
  requests: number;
  isClosed: boolean;
  wasReset: boolean;
};

export type Script = {
  onOpen?: (peer: Peer) => void;
  /** After each read; `peer.received` holds everything so far. */
  onData?: (peer: Peer, data: Buffer) => void;
  /** Each complete request with an empty body or a Content-Length. */
  onRequest?: (peer: Peer, text: string) => void;
  onDrain?: (peer: Peer) => void;
  onClose?: (peer: Peer) => void;
};

export type ScriptedServer = Disposable & { readonly port: number; readonly url: string; readonly peers: Peer[] };

/** A raw TCP or TLS server that does what the script says, byte for byte. */
export function startServer(script: Script, tls?: TLSOptions): ScriptedServer {
  const peers: Peer[] = [];
  const queues = new Map<Peer, Buffer>();
  const flush = (peer: Peer) => {
    const queue = queues.get(peer);
    if (queue === undefined || queue.length === 0) return;
    queues.set(peer, queue.subarray(Math.max(0, peer.socket.write(queue))));
  };
  const listener = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    socket: {
      open(socket) {
        const peer: Peer = {
          socket,
          index: peers.length,
          received: Buffer.alloc(0),
          requests: 0,
          isClosed: false,
          wasReset: false,
          write(data) {
            queues.set(
              peer,
              Buffer.concat([queues.get(peer) ?? Buffer.alloc(0), Buffer.from(data as string, "latin1")]),
            );
            flush(peer);
          },
        };
        socket.data = peer;
        peers.push(peer);
        script.onOpen?.(peer);
      },
      data(socket, data) {
        const peer = socket.data;
        peer.received = Buffer.concat([peer.received, data]);
        script.onData?.(peer, data);
        for (let text = takeRequest(peer); text !== null && script.onRequest; text = takeRequest(peer)) {
          peer.requests += 1;
          script.onRequest(peer, text);
        }
      },
      drain(socket) {
        flush(socket.data);
        script.onDrain?.(socket.data);
      },
      error() {
        // TLS failures are what some tests provoke.
      },
      close(socket, error) {
        // A TLS peer that fails the handshake may be closed before it was opened.
        if (socket.data === undefined) return;
        socket.data.isClosed = true;
        socket.data.wasReset = error !== undefined;
        script.onClose?.(socket.data);
      },
    },
  });
  return {
    port: listener.port,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${listener.port}`,
    peers,
    [Symbol.dispose]: () => listener.stop(true),
  };
}

function takeRequest(peer: Peer): string | null {
  const headBytes = peer.received.indexOf("\r\n\r\n") + 4;
  if (headBytes < 4) return null;
  const length = /^content-length: *([0-9]+)/im.exec(peer.received.toString("latin1", 0, headBytes));
  const totalBytes = headBytes + Number(length?.[1] ?? 0);
  if (peer.received.length < totalBytes) return null;
  const text = peer.received.toString("latin1", 0, totalBytes);
  peer.received = peer.received.subarray(totalBytes);
  return text;
}

export function respond(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export function deadlines(changes: { [Name in keyof UpstreamDeadlines]?: number } = {}): UpstreamDeadlines {
  const spans = { connectMs: 3_000, headersMs: 3_000, idleMs: 3_000, totalMs: 20_000, ...changes };
  return {
    connectMs: durationMs(spans.connectMs),
    headersMs: durationMs(spans.headersMs),
    idleMs: durationMs(spans.idleMs),
    totalMs: durationMs(spans.totalMs),
  };
}

export const SECRET_TEXT = "sk-canary-0123456789";

export function request(baseUrl: string, changes: Partial<UpstreamRequest> = {}): UpstreamRequest {
  const headers: readonly HeaderField[] = [];
  return {
    baseUrl,
    method: "POST",
    target: "/v1/messages",
    headers,
    credentialKind: "api_key",
    credential: new Secret("test", SECRET_TEXT),
    body: null,
    deadlines: deadlines(),
    ...changes,
  };
}

export const NEVER = new AbortController().signal;

export type Collected = { readonly body: Buffer; readonly chunks: number; readonly failure: UpstreamFailure | null };

/** Reads a body to its end or its failure. */
export function collect(response: UpstreamResponse, onChunk?: (bytes: number) => void): Promise<Collected> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve) => {
    const end = (failure: UpstreamFailure | null) =>
      resolve({ body: Buffer.concat(chunks), chunks: chunks.length, failure });
    response.body.subscribe({
      onChunk(chunk) {
        chunks.push(chunk);
        onChunk?.(chunk.length);
      },
      onEnd: () => end(null),
      onFailure: end,
    });
  });
}

export function answered(result: Result<UpstreamResponse, UpstreamFailure>): UpstreamResponse {
  if (!result.ok) throw new Error(`${result.error.kind}: ${result.error.detail}`);
  return result.value;
}

export function failed(result: Result<UpstreamResponse, UpstreamFailure>): UpstreamFailure {
  if (result.ok) throw new Error(`answered with ${result.value.status}`);
  return result.error;
}

/** For facts that no event announces. Fails after two seconds. */
export async function until(isTrue: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 2_000;
  while (!isTrue()) {
    if (performance.now() > giveUpMs) throw new Error(`Cannot see it come true: ${isTrue.toString()}`);
    await Bun.sleep(2);
  }
}
