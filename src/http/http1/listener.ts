import type { Socket, SocketHandler } from "bun";
import type { IpNetwork } from "../../domain/access/ip-address.ts";
import { requestId } from "../../domain/ledger/record.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import type { Clock } from "../../gateway/ports.ts";
import { refusalAnswer } from "../../gateway/refusal.ts";
import { durationMs, elapsed } from "../../kernel/time.ts";
import { Connection } from "./connection.ts";
import { type ConnectionRoom, TICK_MS } from "./connection-room.ts";
import { TOO_MANY_CONNECTIONS } from "./own-refusals.ts";
import { newRequestHead } from "./request-head.ts";
import { responseHead } from "./response-head.ts";

export type Http1Options = {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly clock: Clock;
  /** Connections beyond it are answered with 503 and closed. */
  readonly maxConnections: number;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly IpNetwork[];
  /** Null when nobody waits for an answer: the connection is reset. */
  serve(call: Call): Promise<Answer | null> | Answer | null;
  /** A bug: a handler threw, or an answer could not be written as HTTP. */
  onError(cause: unknown): void;
};

export interface Http1Listener {
  readonly port: number;
  /** Requests accepted and not answered to the end. */
  readonly active: number;
  readonly connections: number;
  /** Closes the listener and every connection, now. */
  stop(): void;
}

/** Holds a response head of usual size and the largest chunk that is sent in one write. */
const SCRATCH_BYTES = 128 * 1024;

/** Null for a connection that was refused. */
type ServerData = Connection | null;

/** Our own HTTP/1.1 server: strict, bounded, one object per connection and one per request (docs/adr/0002-listener.md). */
export function listenHttp1(options: Http1Options): Http1Listener {
  const connections = new Set<Connection>();
  const room: ConnectionRoom = {
    clock: options.clock,
    isTls: false,
    trustedProxies: options.trustedProxies,
    serve: (call) => options.serve(call),
    onError: (cause) => options.onError(cause),
    onClosed: (connection) => connections.delete(connection),
    scratch: Buffer.allocUnsafeSlow(SCRATCH_BYTES),
    head: newRequestHead(),
    nowMs: 0,
    dateText: new Date(options.clock.now()).toUTCString(),
    active: 0,
  };
  const listener = Bun.listen<ServerData>({
    hostname: options.host,
    port: options.port,
    socket: {
      ...EVENTS,
      open(socket) {
        if (connections.size >= options.maxConnections) {
          socket.data = null;
          socket.end(overload(room.dateText));
          return;
        }
        socket.data = new Connection(socket, room);
        connections.add(socket.data);
      },
      error(socket, cause) {
        if (!isSocketError(cause)) options.onError(cause);
        socket.terminate();
      },
    },
  });
  const stopTicks = startTicks(room, connections);
  return {
    port: listener.port,
    get active() {
      return room.active;
    },
    get connections() {
      return connections.size;
    },
    stop() {
      stopTicks();
      listener.stop(true);
      for (const connection of connections) connection.destroy();
    },
  };
}

const EVENTS: Omit<SocketHandler<ServerData>, "open" | "error"> = {
  binaryType: "buffer",
  data: (socket, chunk) => socket.data?.onData(chunk),
  drain: (socket) => socket.data?.onDrain(),
  end: leave,
  close: leave,
};

function leave(socket: Socket<ServerData>): void {
  socket.data?.onGone();
}

/** The whole answer to a connection too many. It is not read from: that would cost what there is none of. */
function overload(dateText: string): string {
  const { status, headers, body } = refusalAnswer(TOO_MANY_CONNECTIONS, requestId(Bun.randomUUIDv7()));
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
  const head = responseHead({
    answer: { status, headers },
    framing: "length",
    lengthBytes: text.length,
    mustClose: true,
    dateText,
  });
  return `${head ?? ""}${text}`;
}

/** What the network did, unlike what a handler threw. */
function isSocketError(cause: unknown): boolean {
  return cause instanceof Error && "syscall" in cause;
}

/** One interval for the deadlines of all connections. Time goes on by the clock, but never backwards. */
function startTicks(room: ConnectionRoom, connections: ReadonlySet<Connection>): () => void {
  let lastMs = room.clock.now();
  return room.clock.every(durationMs(TICK_MS), () => {
    const nowMs = room.clock.now();
    room.nowMs += elapsed(lastMs, nowMs);
    lastMs = nowMs;
    room.dateText = new Date(nowMs).toUTCString();
    for (const connection of connections) connection.checkDeadlines(room.nowMs);
  });
}
