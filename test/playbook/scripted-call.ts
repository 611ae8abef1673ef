import type { IpAddress } from "../../src/domain/access/ip-address.ts";
import type { RequestId } from "../../src/domain/ledger/record.ts";
import type { BodyProblem, Call } from "../../src/gateway/call.ts";
import type { HeaderField } from "../../src/gateway/ports.ts";
import { err, ok } from "../../src/kernel/result.ts";
import type { EpochMs } from "../../src/kernel/time.ts";

/** What the client sends. Default: a small request for a whole message, with a good key. */
export type CallScript = {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  /** Beside the key; a key of its own replaces it. */
  readonly headers?: readonly HeaderField[];
  readonly body?: string | Uint8Array | null;
  readonly isChunked?: boolean;
  /** Default: 192.0.2.1. */
  readonly client?: IpAddress | null;
  readonly problem?: BodyProblem | "throws";
};

export interface ScriptedCall extends Call {
  /** The client closes its connection. */
  leave(): void;
  readonly isAdmitted: boolean;
  /** Abort listeners that nobody removed. */
  readonly listeners: number;
}

export type CallOptions = {
  readonly id: RequestId;
  readonly key: string;
  readonly nowMs: EpochMs;
  readonly script: CallScript;
};

const CLIENT: IpAddress = { family: 4, parts: [192, 0, 2, 1] };

export const MESSAGE = '{"model":"claude-sonnet-4-5","max_tokens":64,"messages":[]}';
export const STREAMED_MESSAGE = '{"model":"claude-sonnet-4-5","max_tokens":64,"messages":[],"stream":true}';

export function createScriptedCall({ id, key, nowMs, script }: CallOptions): ScriptedCall {
  const { method = "POST", path = "/v1/messages", query = "", problem } = script;
  const body = bodyOf(script.body ?? (script.body === null || method !== "POST" ? null : MESSAGE));
  const headers = withKey(script.headers ?? [], key);
  const client = new AbortController();
  const { signal } = client;
  const listeners = countListeners(signal);
  let isAdmitted = false;
  return {
    id,
    method,
    path,
    query,
    headers,
    header(name) {
      const values = headers.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value);
      return values.length === 0 ? null : values.join(", ");
    },
    client: ok(script.client === undefined ? CLIENT : script.client),
    declaredBytes: script.isChunked === true ? null : (body?.length ?? 0),
    readBody(limitBytes, reserve) {
      const bytes = body ?? new Uint8Array(0);
      if (bytes.length > limitBytes) return Promise.resolve(err("too_large"));
      if (!reserve(bytes.length)) return Promise.resolve(err("over_budget"));
      if (problem === "throws") return Promise.reject(new Error("Cannot read the body: scripted"));
      return Promise.resolve(problem === undefined ? ok(bytes) : err(problem));
    },
    admitted() {
      isAdmitted = true;
    },
    abandon: () => client.abort(),
    signal,
    acceptedAtMs: nowMs,
    isTls: false,
    leave: () => client.abort(),
    get isAdmitted() {
      return isAdmitted;
    },
    get listeners() {
      return listeners();
    },
  };
}

function bodyOf(body: string | Uint8Array | null): Uint8Array | null {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}

function withKey(headers: readonly HeaderField[], key: string): readonly HeaderField[] {
  const hasKey = headers.some(([name]) => /^(x-api-key|authorization)$/i.test(name));
  return hasKey ? headers : [["x-api-key", key], ...headers];
}

/** Counts what the code under test adds and does not remove. */
function countListeners(signal: AbortSignal): () => number {
  const added = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: () => void) => {
    added.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: () => void) => {
    added.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return () => added.size;
}
