import type { Answer } from "../../src/gateway/call.ts";
import type { PushBody, UpstreamFailure } from "../../src/gateway/ports.ts";
import type { ScriptedCall } from "./scripted-call.ts";

/** What the client got so far. */
export interface ClientView {
  /** Null: the client left, nobody listens. */
  readonly answer: Answer | null;
  readonly status: number | null;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly end: "open" | "end" | UpstreamFailure;
  /** Callbacks that came after the end or after `leave`: there must be none. */
  readonly late: readonly string[];
  header(name: string): string | null;
  pause(): void;
  resume(): void;
  /** Closes the connection, as a listener sees it: the body is cancelled, the signal aborts. */
  leave(): void;
}

export function viewOf(answer: Answer | null, call: ScriptedCall): ClientView {
  const body = answer?.body ?? null;
  const pushed = body === null || body instanceof Uint8Array ? null : body;
  const got = pushed === null ? wholeOf(body instanceof Uint8Array ? body : new Uint8Array(0)) : readPushed(pushed);
  return {
    answer,
    status: answer?.status ?? null,
    get bytes() {
      return Buffer.concat(got.chunks);
    },
    get text() {
      return Buffer.concat(got.chunks).toString();
    },
    get end() {
      return got.end;
    },
    late: got.late,
    header: (name) => answer?.headers.find(([known]) => known.toLowerCase() === name)?.[1] ?? null,
    pause: () => pushed?.pause(),
    resume: () => pushed?.resume(),
    leave() {
      got.hasLeft = true;
      pushed?.cancel();
      call.leave();
    },
  };
}

type Got = { readonly chunks: Uint8Array[]; end: ClientView["end"]; readonly late: string[]; hasLeft: boolean };

function wholeOf(bytes: Uint8Array): Got {
  return { chunks: [bytes], end: "end", late: [], hasLeft: false };
}

function readPushed(body: PushBody): Got {
  const got: Got = { chunks: [], end: "open", late: [], hasLeft: false };
  const isOver = (what: string) => {
    const over = got.hasLeft || got.end !== "open";
    if (over) got.late.push(what);
    return over;
  };
  body.subscribe({
    onChunk(chunk) {
      if (!isOver("chunk")) got.chunks.push(chunk);
    },
    onEnd() {
      if (!isOver("end")) got.end = "end";
    },
    onFailure(failure) {
      if (!isOver("failure")) got.end = failure;
    },
  });
  return got;
}
