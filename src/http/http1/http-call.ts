import { type ClientAddress, forwardedClient } from "../../domain/access/client-address.ts";
import { type RequestId, requestId } from "../../domain/ledger/record.ts";
import type { Call } from "../../gateway/call.ts";
import type { GoneSignal, HeaderField } from "../../gateway/ports.ts";
import type { EpochMs } from "../../kernel/time.ts";
import type { Peer } from "./peer.ts";
import type { RequestHead } from "./request-head.ts";

type ReadBody = Call["readBody"];

/** The connection that a call came by. */
export interface CallSource {
  readonly peer: Peer;
  readBody(call: HttpCall, limitBytes: number, reserve: (bytes: number) => boolean): ReturnType<ReadBody>;
}

export type HttpCallOptions = {
  readonly source: CallSource;
  readonly head: RequestHead;
  /** The head's bytes, one character for each. */
  readonly text: string;
  readonly acceptedAtMs: EpochMs;
  readonly isTls: boolean;
};

/** One request. A class, so that a request costs one object and whatever is not asked for costs nothing. */
export class HttpCall implements Call {
  readonly id: RequestId;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly declaredBytes: number | null;
  readonly acceptedAtMs: EpochMs;
  readonly isTls: boolean;
  readonly isVersion10: boolean;
  readonly asksToClose: boolean;
  readonly expectsContinue: boolean;
  readonly #source: CallSource;
  readonly #text: string;
  readonly #spans: readonly number[];
  #fields: HeaderField[] | null = null;
  #forwarded: ClientAddress | null = null;
  readonly #departure = new Departure();

  // hot path
  constructor({ source, head, text, acceptedAtMs, isTls }: HttpCallOptions) {
    const { control } = head;
    this.id = requestId(Bun.randomUUIDv7());
    this.method = head.method;
    const target = text.slice(head.targetStart, head.targetEnd);
    const queryStart = target.indexOf("?");
    this.path = queryStart < 0 ? target : target.slice(0, queryStart);
    this.query = queryStart < 0 ? "" : target.slice(queryStart);
    this.declaredBytes = control.isChunked ? null : Math.max(0, control.contentLength);
    this.acceptedAtMs = acceptedAtMs;
    this.isTls = isTls;
    this.isVersion10 = head.isVersion10;
    this.asksToClose = control.asksToClose || head.isVersion10;
    this.expectsContinue = control.expectsContinue && !head.isVersion10;
    this.#source = source;
    this.#text = text;
    this.#spans = head.spans.slice();
  }

  // hot path
  header(name: string): string | null {
    const wanted = name.toLowerCase();
    const text = this.#text;
    const spans = this.#spans;
    let joined: string | null = null;
    for (let at = 0; at < spans.length; at += 4) {
      const start = spans[at] ?? 0;
      const end = spans[at + 1] ?? 0;
      // Length and first letter rule out nearly every field before a string is made.
      if (end - start !== wanted.length || (text.charCodeAt(start) | 0x20) !== (wanted.charCodeAt(0) | 0x20)) continue;
      if (text.slice(start, end).toLowerCase() !== wanted) continue;
      const value = text.slice(spans[at + 2], spans[at + 3]);
      joined = joined === null ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  // hot path
  get headers(): Iterable<HeaderField> {
    if (this.#fields === null) {
      const fields: HeaderField[] = [];
      const spans = this.#spans;
      for (let at = 0; at < spans.length; at += 4) {
        const name = this.#text.slice(spans[at], spans[at + 1]);
        fields.push([name, this.#text.slice(spans[at + 2], spans[at + 3])]);
      }
      this.#fields = fields;
    }
    return this.#fields;
  }

  // hot path
  get client(): ClientAddress {
    const { direct, proxy } = this.#source.peer;
    if (proxy === null) return direct;
    this.#forwarded ??= forwardedClient(proxy.address, this.#lines("x-forwarded-for"), proxy.trusted);
    return this.#forwarded;
  }

  /** The values of `name` (lower case), line by line. */
  #lines(name: string): readonly string[] {
    const lines: string[] = [];
    for (const [each, value] of this.headers) {
      if (each.length === name.length && each.toLowerCase() === name) lines.push(value);
    }
    return lines;
  }

  readBody(limitBytes: number, reserve: (bytes: number) => boolean): ReturnType<ReadBody> {
    return this.#source.readBody(this, limitBytes, reserve);
  }

  admitted(): void {
    // Nothing to lift: while a call is served, the connection has no limit of time but that of the upload.
  }

  abandon(): void {
    this.#departure.leave();
  }

  get signal(): GoneSignal {
    return this.#departure;
  }

  /** The client left. */
  leave(): void {
    this.#departure.leave();
  }
}

/** An `AbortSignal` for one purpose: the platform's costs a request 2 us more (Bun 1.4.5, 2026-11-23). */
class Departure implements GoneSignal {
  aborted = false;
  #listeners: (() => void)[] = [];

  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  leave(): void {
    if (this.aborted) return;
    this.aborted = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
