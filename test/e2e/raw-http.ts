import { connect, type Socket } from "node:net";
import { createChunkDecoder } from "../../sim/chunk-decoder.ts";

/** One answer as it stands on the wire: nothing decoded but the transfer coding, no header joined or renamed. */
export type RawAnswer = {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** After transfer decoding; content-encoding is not touched. */
  readonly body: Buffer;
  /** Interim (1xx) answers that came before it. */
  readonly interim: number;
  /** whole: the framing says that nothing is missing. fin, reset: how the connection ended before that. */
  readonly end: "whole" | "fin" | "reset";
};

/** An HTTP/1.1 client that decodes, retries and follows nothing. One request at a time, on one connection. */
export interface RawClient {
  /** Resolves when the kernel has taken all bytes. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** The next answer, whole or broken off; one without a head rejects. */
  answer(): Promise<RawAnswer>;
  /** Resolves when the head is there and the body so far, read as latin1, satisfies the condition. */
  until(holds: (bodySoFar: string) => boolean): Promise<void>;
  readonly isOpen: boolean;
  /** Stops reading, so that the peer meets backpressure, and reads on. */
  pause(): void;
  resume(): void;
  /** FIN, or RST, from our side. */
  close(): void;
  reset(): void;
}

const PATIENCE_MS = 15_000;

/** `from`: another address of this machine to come from, e.g. 127.3.4.5. */
export async function connectRaw(port: number, from?: string): Promise<RawClient> {
  const localAddress = from === undefined ? {} : { localAddress: from };
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, ...localAddress });
  const reader = createReader();
  let ended: "fin" | "reset" | null = null;
  let wake: (() => void) | null = null;
  const happened = () => wake?.();
  socket.on("data", (bytes: Buffer) => {
    reader.push(bytes);
    happened();
  });
  socket.on("end", () => {
    ended ??= "fin";
    happened();
  });
  socket.on("error", (error) => {
    ended ??= "code" in error && error.code === "ECONNRESET" ? "reset" : "fin";
    happened();
  });
  socket.on("close", () => {
    ended ??= "fin";
    happened();
  });
  await connected(socket);

  async function when<Value>(what: string, look: () => Value | null): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const check = () => {
      const value = look();
      if (value !== null) resolve(value);
    };
    const timer = setTimeout(() => reject(new Error(`Cannot see ${what} within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    wake = check;
    check();
    return promise.finally(() => {
      clearTimeout(timer);
      wake = null;
    });
  }

  return {
    get isOpen() {
      return ended === null && !socket.destroyed;
    },
    write: (bytes) =>
      new Promise((resolve) => {
        // A peer that refuses early may close meanwhile: its answer tells, not the write.
        socket.write(bytes, () => resolve());
      }),
    answer: () =>
      when("an answer", () => {
        if (reader.isWhole || ended !== null) return reader.take(ended);
        return null;
      }),
    until: (holds) =>
      when("the awaited bytes", () => (reader.hasHead && holds(reader.bodySoFar()) ? true : null)).then(
        () => undefined,
      ),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
}

type Head = Pick<RawAnswer, "status" | "headers">;

/** Reads one answer after the other, however the bytes are cut. */
function createReader() {
  let pending: Buffer = Buffer.alloc(0);
  let head: Head | null = null;
  let body: BodyDecoder | null = null;
  let interim = 0;

  function readHeads(): void {
    for (;;) {
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      const read = parseHead(pending.toString("latin1", 0, end));
      pending = pending.subarray(end + 4);
      if (read.status >= 200) {
        head = read;
        body = createBodyDecoder(read);
        return;
      }
      interim += 1;
    }
  }

  return {
    push(bytes: Buffer) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      if (head === null) readHeads();
      if (body !== null) pending = body.push(pending);
    },
    get hasHead() {
      return head !== null;
    },
    get isWhole() {
      return body?.isWhole ?? false;
    },
    bodySoFar: () => Buffer.concat(body?.parts ?? []).toString("latin1"),
    take(ended: "fin" | "reset" | null): RawAnswer {
      if (head === null || body === null) throw new Error(`Cannot see an answer: the peer ended with ${ended}`);
      const isWhole = body.isWhole || (body.endsWithConnection && ended === "fin");
      const end = isWhole ? "whole" : (ended ?? "fin");
      const answer: RawAnswer = { ...head, body: Buffer.concat(body.parts), interim, end };
      head = null;
      body = null;
      interim = 0;
      return answer;
    },
  };
}

type BodyDecoder = {
  readonly parts: readonly Uint8Array[];
  readonly isWhole: boolean;
  /** Without other framing the end of the connection is the end of the body. */
  readonly endsWithConnection: boolean;
  /** Takes what belongs to the body; gives back what does not. */
  push(bytes: Buffer): Buffer;
};

function createBodyDecoder(head: Head): BodyDecoder {
  if (headerValue(head, "transfer-encoding")?.toLowerCase() === "chunked") return chunkedDecoder();
  const length = headerValue(head, "content-length");
  if (length !== null) return lengthDecoder(Number(length));
  return head.status === 204 ? lengthDecoder(0) : lengthDecoder(Number.POSITIVE_INFINITY);
}

function chunkedDecoder(): BodyDecoder {
  const parts: Uint8Array[] = [];
  const chunks = createChunkDecoder();
  let isWhole = false;
  return {
    parts,
    endsWithConnection: false,
    get isWhole() {
      return isWhole;
    },
    push(bytes) {
      if (isWhole) return bytes;
      const step = chunks.push(bytes);
      if (step.state === "malformed") throw new Error("Cannot read the answer: its chunks are malformed");
      parts.push(...step.parts);
      isWhole = step.state === "done";
      return step.rest;
    },
  };
}

function lengthDecoder(lengthBytes: number): BodyDecoder {
  const parts: Uint8Array[] = [];
  let leftBytes = lengthBytes;
  return {
    parts,
    endsWithConnection: lengthBytes === Number.POSITIVE_INFINITY,
    get isWhole() {
      return leftBytes === 0;
    },
    push(bytes) {
      const part = bytes.subarray(0, leftBytes);
      parts.push(part);
      leftBytes -= part.length;
      return bytes.subarray(part.length);
    },
  };
}

function parseHead(text: string): Head {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.1 ([0-9]{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) throw new Error(`Cannot read the answer: its status line is ${JSON.stringify(statusLine)}`);
  return {
    status: Number(status),
    headers: lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
    }),
  };
}

/** Every value of a header, in wire order. */
export function headerValues(answer: Head, name: string): readonly string[] {
  return answer.headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
}

/** The first value of a header, or null. */
export function headerValue(answer: Head, name: string): string | null {
  return headerValues(answer, name)[0] ?? null;
}

export type RawRequest = {
  readonly key: string;
  readonly method?: string;
  readonly target?: string;
  /** Further field lines, e.g. "anthropic-version: 2023-06-01". */
  readonly headers?: readonly string[];
  /** How the body is framed; its bytes are not part of the head. Default: no body. */
  readonly framing?: { readonly lengthBytes: number } | "chunked";
};

export function printHead({
  key,
  method = "POST",
  target = "/v1/messages",
  headers = [],
  framing,
}: RawRequest): string {
  const framed =
    framing === undefined
      ? []
      : [framing === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${framing.lengthBytes}`];
  const lines = [`${method} ${target} HTTP/1.1`, "Host: gateway", `x-api-key: ${key}`, ...headers, ...framed];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Runs `work` on every item over `connections` clients of one port; each client is used again while it lasts. */
export async function inParallel<Item>(
  items: readonly Item[],
  options: { readonly port: number; readonly connections: number },
  work: (item: Item, client: RawClient) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    let client = await connectRaw(options.port);
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      if (!client.isOpen) client = await connectRaw(options.port);
      await work(item, client);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
}
