import type { Socket } from "bun";
import type { IpNetwork } from "../../domain/access/ip-address.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import type { Clock } from "../../gateway/ports.ts";
import { durationMs, elapsed } from "../../kernel/time.ts";
import { Connection } from "./connection.ts";
import { type ConnectionRoom, TICK_MS } from "./connection-room.ts";
import { createHandshakes, type Handshakes, type TlsDoor } from "./handshakes.ts";
import { TOO_MANY_CONNECTIONS } from "./own-refusals.ts";
import { newRequestHead } from "./request-head.ts";
import { answerText, EVENTS, type SocketOwner } from "./socket-events.ts";

export type Http1Options = {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly clock: Clock;
  /** Connections beyond it are answered with 503 and closed. */
  readonly maxConnections: number;
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly IpNetwork[];
  /** Null: without TLS. */
  readonly tls: TlsDoor | null;
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

/** Our own HTTP/1.1 server: strict, bounded, one object per connection and one per request (docs/adr/0002-listener.md). */
export function listenHttp1(options: Http1Options): Http1Listener {
  const connections = new Set<Connection>();
  const room: ConnectionRoom = {
    clock: options.clock,
    isTls: options.tls !== null,
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
  const admit = (socket: Socket<SocketOwner | null>) => {
    const connection = new Connection(socket, room);
    socket.data = connection;
    connections.add(connection);
  };
  const fault = (socket: Socket<SocketOwner | null>, cause: unknown) => {
    if (!isSocketError(cause)) options.onError(cause);
    socket.terminate();
  };
  const { tls } = options;
  const handshakes = tls === null ? null : createHandshakes({ door: tls, room, admit, error: fault });
  const listener = Bun.listen<SocketOwner | null>({
    hostname: options.host,
    port: options.port,
    socket: {
      ...EVENTS,
      open(socket) {
        socket.data = null;
        const isFull = connections.size + (handshakes?.size ?? 0) >= options.maxConnections;
        if (handshakes === null) {
          if (isFull) socket.end(answerText(TOO_MANY_CONNECTIONS, room.dateText));
          else admit(socket);
        } else if (isFull) socket.terminate();
        else handshakes.begin(socket);
      },
      error: fault,
    },
  });
  const stopTicks = startTicks(room, connections, handshakes);
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
      handshakes?.stop();
      for (const connection of connections) connection.destroy();
    },
  };
}

/** What the network did, unlike what a handler threw. */
function isSocketError(cause: unknown): boolean {
  return cause instanceof Error && "syscall" in cause;
}

/** One interval for the deadlines of all connections. Time goes on by the clock, but never backwards. */
function startTicks(
  room: ConnectionRoom,
  connections: ReadonlySet<Connection>,
  handshakes: Handshakes | null,
): () => void {
  let lastMs = room.clock.now();
  return room.clock.every(durationMs(TICK_MS), () => {
    const nowMs = room.clock.now();
    room.nowMs += elapsed(lastMs, nowMs);
    lastMs = nowMs;
    room.dateText = new Date(nowMs).toUTCString();
    handshakes?.checkDeadlines();
    for (const connection of connections) connection.checkDeadlines(room.nowMs);
  });
}
