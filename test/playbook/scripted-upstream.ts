import type {
  BodySink,
  GoneSignal,
  HeaderField,
  PushBody,
  Upstream,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamRequest,
  UpstreamResponse,
} from "../../src/gateway/ports.ts";
import { err, ok, type Result } from "../../src/kernel/result.ts";
import { until } from "./manual-clock.ts";

/** A body that the test pushes. As the real one: nothing before subscribe, held while paused, silent after cancel. */
export interface ScriptedBody extends PushBody {
  push(chunk: string | Uint8Array): void;
  end(): void;
  /** The connection broke: what the reader has not taken is lost. */
  fail(kind: UpstreamFailureKind): void;
  /** The connection broke behind the bytes pushed so far. */
  breakAfterHeld(kind: UpstreamFailureKind): void;
  readonly isPaused: boolean;
  readonly isCancelled: boolean;
  /** Its end, a failure or a cancel was reached: nothing of it is left in memory. */
  readonly isOver: boolean;
}

type BodyEvent = Uint8Array | "end" | UpstreamFailure;

/** `onOver`: once, when nothing more can come. */
export function createScriptedBody(onOver: () => void): ScriptedBody {
  const events: BodyEvent[] = [];
  let sink: BodySink | null = null;
  let isPaused = false;
  let isOver = false;
  let isCancelled = false;
  let isDelivering = false;
  const deliver = () => {
    if (isDelivering) return;
    isDelivering = true;
    while (sink !== null && !isPaused && !isOver) {
      const event = events.shift();
      if (event === undefined) break;
      if (event instanceof Uint8Array) {
        sink.onChunk(event);
        continue;
      }
      isOver = true;
      onOver();
      if (event === "end") sink.onEnd();
      else sink.onFailure(event);
    }
    isDelivering = false;
  };
  const add = (event: BodyEvent) => {
    if (isOver) return;
    events.push(event);
    deliver();
  };
  return {
    subscribe(next) {
      if (sink !== null) throw new Error("Cannot subscribe to a body: it has a reader already");
      sink = next;
      deliver();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      deliver();
    },
    cancel() {
      if (isOver) return;
      isOver = true;
      isCancelled = true;
      onOver();
      events.length = 0;
    },
    push: (chunk) => add(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk),
    end: () => add("end"),
    breakAfterHeld: (kind) => add(failureOf(kind, true)),
    fail(kind) {
      if (isOver) return;
      // A broken connection is noticed even by a reader that has paused.
      events.length = 0;
      isPaused = false;
      add(failureOf(kind, true));
    },
    get isPaused() {
      return isPaused;
    },
    get isCancelled() {
      return isCancelled;
    },
    get isOver() {
      return isOver;
    },
  };
}

export function failureOf(kind: UpstreamFailureKind, wasSent: boolean): UpstreamFailure {
  return { kind, detail: `scripted ${kind}`, wasSent };
}

export type Reply =
  | {
      readonly status?: number;
      readonly headers?: readonly HeaderField[];
      /** One HTTP chunk each, all there when the head is. */
      readonly chunks?: readonly (string | Uint8Array)[];
      /** Default "end". "open": the test goes on with the body. */
      readonly ending?: "end" | "open" | UpstreamFailureKind;
    }
  /** A body that does not hear when the request is aborted. */
  | { readonly body: ScriptedBody }
  | UpstreamFailureKind;

/** One request as upstream saw it. */
export interface Sending {
  readonly request: UpstreamRequest;
  readonly signal: GoneSignal;
  readonly body: ScriptedBody;
  reply(reply: Reply): void;
}

export interface ScriptedUpstream extends Upstream {
  readonly sendings: readonly Sending[];
  /** Answers the next requests in order; without a reply left, the test replies through `nth`. */
  plan(...replies: readonly Reply[]): void;
  /** Waits for request number `index`. */
  nth(index: number): Promise<Sending>;
}

export function createScriptedUpstream(): ScriptedUpstream {
  const sendings: Sending[] = [];
  const replies: Reply[] = [];
  return {
    sendings,
    plan: (...more) => void replies.push(...more),
    send(request, signal) {
      const { promise, resolve } = Promise.withResolvers<Result<UpstreamResponse, UpstreamFailure>>();
      const sending = createSending({ request, signal, resolve });
      sendings.push(sending);
      const reply = replies.shift();
      if (reply !== undefined && !signal.aborted) sending.reply(reply);
      return promise;
    },
    async nth(index) {
      await until(() => sendings.length > index, `request number ${index} to upstream`);
      const sending = sendings[index];
      if (sending === undefined) throw new Error("Cannot find the request: it was there a moment ago");
      return sending;
    },
  };
}

type SendingOptions = {
  readonly request: UpstreamRequest;
  readonly signal: GoneSignal;
  resolve(result: Result<UpstreamResponse, UpstreamFailure>): void;
};

function createSending({ request, signal, resolve }: SendingOptions): Sending {
  const body = createScriptedBody(() => signal.removeEventListener("abort", onAbort));
  const onAbort = () => {
    signal.removeEventListener("abort", onAbort);
    resolve(err(failureOf("aborted", true)));
    body.fail("aborted");
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  return {
    request,
    signal,
    body,
    reply(reply) {
      if (typeof reply === "string") {
        signal.removeEventListener("abort", onAbort);
        resolve(err(failureOf(reply, reply !== "connect")));
        return;
      }
      if ("body" in reply) {
        resolve(ok({ status: 200, headers: [], body: reply.body, contentLength: null }));
        return;
      }
      const { status = 200, headers = [["content-type", "application/json"]], chunks = [], ending = "end" } = reply;
      for (const chunk of chunks) body.push(chunk);
      resolve(ok({ status, headers, body, contentLength: null }));
      if (ending === "end") body.end();
      // A break in the same read as the last bytes: those are delivered first.
      else if (ending !== "open") body.breakAfterHeld(ending);
    },
  };
}
