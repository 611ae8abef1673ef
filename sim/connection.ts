import type { Socket } from "bun";
import { assertNever } from "../src/kernel/result.ts";
import type { Reaction } from "./api.ts";
import { apiError, errorBody } from "./api-error.ts";
import type { DeliveryEnd } from "./deliver.ts";
import type { FixedAnswer } from "./fixed-answer.ts";
import { perform } from "./perform.ts";
import type { RecordedRequest } from "./record-log.ts";
import type { RequestHead } from "./request-head.ts";
import type { ReadProblem } from "./request-reader.ts";
import { createRequestReader } from "./request-reader.ts";
import { createSocketWriter } from "./socket-writer.ts";
import type { CutKind } from "./step.ts";
import type { Upload, UploadedBody } from "./upload.ts";
import { createUpload } from "./upload.ts";
import { statusLine } from "./wire.ts";

/** What a connection needs of the simulator. */
export interface ConnectionHost {
  nowMs(): number;
  bodyCare(head: RequestHead): "hash" | "keep" | "drop";
  /** True: the answer does not wait for the body. */
  answersEarly(head: RequestHead): boolean;
  /** A prebuilt answer (benchmark), or null. */
  fixedAnswer(head: RequestHead): FixedAnswer | null;
  react(head: RequestHead, body: Uint8Array): Reaction;
  /** The request is here whole, or its peer left while it was sent. Null when nothing is recorded. */
  arrived(request: ArrivedRequest): RecordedRequest | null;
  ended(record: RecordedRequest | null, how: ExchangeEnd): void;
  streams(change: 1 | -1): void;
  /** A bug of the simulator. */
  failed(error: unknown): void;
}

/** aborted: by the peer. cut: by the script. */
export type ExchangeEnd = "completed" | "aborted" | "cut";

export type ArrivedRequest = {
  readonly head: RequestHead;
  readonly rawHead: Uint8Array;
  readonly body: UploadedBody;
  readonly arrivedAtMs: number;
};

export interface Connection {
  onData(bytes: Buffer): void;
  onDrain(): void;
  onClose(): void;
  /** Cuts the connection now, whatever it is doing. */
  drop(kind: CutKind): void;
  /** Resolves when the answer under way, if any, has ended. */
  settled(): Promise<void>;
}

type Exchange = {
  readonly head: RequestHead;
  readonly rawHead: Uint8Array;
  readonly arrivedAtMs: number;
  readonly upload: Upload;
  readonly isEarly: boolean;
  record: RecordedRequest | null;
  hasArrived: boolean;
  ended: ExchangeEnd | null;
};

/** After an answer that came before the body's end, the rest is read this long so that no RST overtakes the answer. */
const LINGER_MS = 2_000;
const NO_BODY = new Uint8Array(0);
const STATUS_BY_PROBLEM: Readonly<Record<ReadProblem, number>> = {
  malformed: 400,
  head_too_large: 431,
  body_too_large: 413,
};

/**
 * One client connection: reads its requests and plays their answers, one after the other. Long, because its functions
 * share the state of one connection.
 */
export function createConnection(socket: Socket<unknown>, host: ConnectionHost): Connection {
  const writer = createSocketWriter(socket);
  let exchange: Exchange | null = null;
  let answering: Promise<void> = Promise.resolve();
  let lingerTimer: Timer | undefined;

  const reader = createRequestReader({
    onHead(head, rawHead) {
      const isEarly = host.answersEarly(head);
      exchange = {
        head,
        rawHead,
        arrivedAtMs: host.nowMs(),
        upload: createUpload(head, host.bodyCare(head)),
        isEarly,
        record: null,
        hasArrived: false,
        ended: null,
      };
      if (isEarly) answering = supervise(answer(exchange, NO_BODY));
      else if (head.expectsContinue) answering = supervise(sendContinue());
    },
    onBody(part) {
      exchange?.upload.push(part);
    },
    onEnd() {
      if (exchange === null) return;
      const body = arrive(exchange);
      if (!exchange.isEarly) start(exchange, body.bytes);
      else if (exchange.ended !== null) writer.cut("fin");
    },
    onProblem(problem, fact) {
      // Too many bytes while an answer is played: no second answer may be mixed into it.
      if (exchange?.hasArrived === true && exchange.ended === null) socket.terminate();
      else answering = supervise(refuseRequest(problem, fact));
    },
  });

  function arrive(current: Exchange): UploadedBody {
    current.hasArrived = true;
    const body = current.upload.finish();
    const { head, rawHead, arrivedAtMs } = current;
    current.record = host.arrived({ head, rawHead, body, arrivedAtMs });
    if (current.ended !== null) host.ended(current.record, current.ended);
    return body;
  }

  // hot path
  function start(current: Exchange, body: Uint8Array): void {
    const fixed = host.fixedAnswer(current.head);
    if (fixed === null) {
      answering = supervise(answer(current, body));
      return;
    }
    const played = fixed.play(writer);
    if (played === true) finish(current, "complete");
    else answering = supervise(finishLater(current, played));
  }

  async function finishLater(current: Exchange, played: Promise<boolean> | boolean): Promise<void> {
    host.streams(1);
    finish(current, (await played) ? "complete" : "gone");
    host.streams(-1);
  }

  async function answer(current: Exchange, body: Uint8Array): Promise<void> {
    const reaction = host.react(current.head, body);
    const isStream = reaction.kind === "answer" && reaction.answer.isStream;
    if (isStream) host.streams(1);
    try {
      finish(current, await perform(writer, reaction));
    } finally {
      if (isStream) host.streams(-1);
    }
  }

  async function sendContinue(): Promise<void> {
    await writer.write(Buffer.from(`${statusLine(100)}\r\n`));
  }

  function finish(current: Exchange, end: DeliveryEnd): void {
    if (current.ended !== null) return;
    current.ended = endOf(end);
    if (current.hasArrived) host.ended(current.record, current.ended);
    if (end !== "complete") return;
    if (current.isEarly) {
      linger();
      return;
    }
    exchange = null;
    if (current.head.keepsAlive) reader.resume();
    else writer.cut("fin");
  }

  function linger(): void {
    writer.cut("halfClose");
    lingerTimer = setTimeout(() => writer.cut("fin"), LINGER_MS);
  }

  async function refuseRequest(problem: ReadProblem, fact: string): Promise<void> {
    const status = STATUS_BY_PROBLEM[problem];
    const body = errorBody(apiError(status, { message: `Cannot read the request: ${fact}` }), "");
    const head = `${statusLine(status)}content-type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    await writer.write(Buffer.from(`${head}Connection: close\r\n\r\n${body}`));
    linger();
  }

  async function supervise(task: Promise<void>): Promise<void> {
    try {
      await task;
    } catch (error) {
      socket.terminate();
      host.failed(error);
    }
  }

  return {
    onData: (bytes) => reader.push(bytes),
    onDrain: () => writer.onDrain(),
    onClose() {
      clearTimeout(lingerTimer);
      writer.onClose();
      if (exchange === null || exchange.hasArrived) return;
      exchange.ended ??= "aborted";
      arrive(exchange);
    },
    drop: (kind) => writer.cut(kind),
    settled: () => answering,
  };
}

function endOf(end: DeliveryEnd): ExchangeEnd {
  switch (end) {
    case "complete":
    case "closed":
      return "completed";
    case "cut":
      return "cut";
    case "gone":
      return "aborted";
    default:
      return assertNever(end);
  }
}
