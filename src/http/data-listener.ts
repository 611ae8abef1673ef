import type { Answer, Call } from "../gateway/call.ts";
import { refusalAnswer } from "../gateway/refusal.ts";
import { type CallOptions, callOf } from "./call-of.ts";
import { responseOf } from "./response-of.ts";

/** An answer of the process itself, not of the data plane: health, readiness, metrics. */
export type OwnPage = (call: Call) => Promise<Answer> | Answer;

export type DataListenerOptions = CallOptions & {
  readonly host: string;
  /** Client connections at one time; beyond it a new one is refused. */
  readonly maxConnections: number;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Exact paths; `HEAD /` is the probe of Claude Code (protocol.md P3). */
  readonly pages: ReadonlyMap<string, OwnPage>;
  /** Null when the client left before there was an answer. */
  serve(call: Call): Promise<Answer | null>;
  onError(cause: unknown): void;
};

export interface DataListener {
  readonly url: string;
  readonly port: number;
  /** Requests accepted and not answered to the end. */
  readonly active: number;
  /** Closes the listener and every connection, now. Drain first. */
  stop(): Promise<void>;
}

/** Quiet connections are closed after this; admitted requests are exempt (Bun counts uploads and streams as quiet). */
const IDLE_SECONDS = 30;

/** The listener of the data plane on `Bun.serve` (docs/adr/0002-listener.md). */
export function listenData(options: DataListenerOptions): DataListener {
  let active = 0;
  const done = () => {
    active -= 1;
  };
  const server = Bun.serve({
    hostname: options.host,
    port: options.port,
    idleTimeout: IDLE_SECONDS,
    // Our own limit answers in the API's shape before anything is buffered; this one only backs it up.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    async fetch(request, bun) {
      active += 1;
      const call = callOf(request, bun, options);
      const page = options.pages.get(call.path);
      try {
        const answer = await (page === undefined ? options.serve(call) : page(call));
        return responseOf(answer, call, done);
      } catch (cause) {
        options.onError(cause);
        const failure = { code: "GW_INTERNAL", message: "Cannot serve the request: the gateway failed" } as const;
        return responseOf(refusalAnswer(failure, call.id), call, done);
      }
    },
    error(cause) {
      options.onError(cause);
      return new Response(null, { status: 500 });
    },
  });
  return {
    url: `http://${options.host}:${server.port}`,
    port: server.port ?? options.port,
    get active() {
      return active;
    },
    stop: () => server.stop(true),
  };
}
