import type { Answer, Call } from "../gateway/call.ts";
import type { Clock } from "../gateway/ports.ts";
import { listenHttp1 } from "./http1/listener.ts";

/** An answer of the process itself, not of the data plane: health, readiness, metrics. */
export type OwnPage = (call: Call) => Promise<Answer> | Answer;

export type DataListenerOptions = {
  readonly clock: Clock;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Connections beyond it get a 503 and are closed. Default 20,000. */
  readonly maxConnections?: number;
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
  readonly connections: number;
  /** Closes the listener and every connection, now. Drain first. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 20_000;

/** The listener of the data plane, on our own HTTP/1.1 server (docs/adr/0002-listener.md). */
export function listenData(options: DataListenerOptions): DataListener {
  const { clock, host, pages } = options;
  const listener = listenHttp1({
    clock,
    host,
    port: options.port,
    maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
    serve(call) {
      const page = pages.get(call.path);
      return page === undefined ? options.serve(call) : page(call);
    },
    onError: (cause) => options.onError(cause),
  });
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${listener.port}`,
    port: listener.port,
    get active() {
      return listener.active;
    },
    get connections() {
      return listener.connections;
    },
    stop() {
      listener.stop();
      return Promise.resolve();
    },
  };
}
