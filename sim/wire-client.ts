import { connect } from "node:net";

/** A client without HTTP: it sends bytes and keeps every byte that comes back. For tests. */
export interface WireClient {
  send(bytes: string | Uint8Array): void;
  /** Everything received so far, latin1. */
  readonly text: string;
  /** One entry per read of the socket. */
  readonly reads: readonly Buffer[];
  /** Resolves when the received text satisfies the condition. Rejects when the peer ends first, or after 4 s. */
  until(holds: (text: string) => boolean): Promise<string>;
  /** How the peer ended the connection: a FIN, or a RST (ECONNRESET). Rejects after 4 s. */
  ended(): Promise<"fin" | "reset">;
  /** Stops reading, so that the peer meets backpressure. */
  pause(): void;
  resume(): void;
  /** FIN or RST from our side. */
  close(): void;
  reset(): void;
}

const PATIENCE_MS = 4_000;

export async function connectWire(port: number): Promise<WireClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const reads: Buffer[] = [];
  let text = "";
  let end: "fin" | "reset" | null = null;
  const listeners = new Set<() => void>();

  function happened(): void {
    for (const listener of listeners) listener();
  }

  socket.on("data", (bytes: Buffer) => {
    reads.push(bytes);
    text += bytes.toString("latin1");
    happened();
  });
  socket.on("end", () => {
    end ??= "fin";
    happened();
  });
  socket.on("error", (error) => {
    if ("code" in error && error.code === "ECONNRESET") end ??= "reset";
    happened();
  });

  function when<Value>(look: () => Value | null, what: string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        listeners.delete(check);
        reject(new Error(`Cannot see ${what} within ${PATIENCE_MS} ms: received ${JSON.stringify(text.slice(-300))}`));
      }, PATIENCE_MS);
      function check(): void {
        const value = look();
        if (value === null) return;
        clearTimeout(timer);
        listeners.delete(check);
        resolve(value);
      }
      listeners.add(check);
      check();
    });
  }

  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    // A peer that resets at once may be quicker than our own "connect": that is an end, not a failure to connect.
    socket.once("error", (error) => (end === "reset" ? resolve() : reject(error)));
  });
  return {
    send: (bytes) => void socket.write(bytes),
    get text() {
      return text;
    },
    reads,
    async until(holds) {
      const seen = await when(() => (holds(text) ? "held" : end), "the awaited bytes");
      if (seen === "held") return text;
      throw new Error(`Cannot see the awaited bytes: the peer ended with ${seen}, received ${JSON.stringify(text)}`);
    },
    ended: () => when(() => end, "the end of the connection"),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}

export type WireRequest = {
  readonly method?: string;
  readonly target?: string;
  readonly credential?: string;
  readonly body?: string;
  readonly headers?: readonly string[];
};

/** Prints a request with Content-Length. */
export function printRequest(request: WireRequest = {}): string {
  const body = request.body ?? "";
  const lines = [
    `${request.method ?? "POST"} ${request.target ?? "/v1/messages"} HTTP/1.1`,
    "Host: simulator",
    `x-api-key: ${request.credential ?? "key"}`,
    ...(request.headers ?? []),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
