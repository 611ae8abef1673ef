import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import { readLimitFacts } from "../domain/ratelimit/limit-headers.ts";
import { streamErrorStatus } from "../domain/sse/wire-error.ts";
import { after, type EpochMs } from "../kernel/time.ts";
import { headerOf } from "./headers.ts";
import { type HeldBody, holdBody } from "./held-body.ts";
import type { HeaderField, Lease, UpstreamFailure, UpstreamResponse } from "./ports.ts";
import type { Rooms } from "./rooms.ts";
import { createStreamTap, createWholeTap, type StreamTap, type WholeTap } from "./tap.ts";
import type { Walk } from "./walk.ts";

/** An upstream answer of which the client has seen nothing yet. */
export type HeldAnswer = {
  readonly response: UpstreamResponse;
  readonly body: HeldBody;
  readonly tap: StreamTap | WholeTap;
};

/** Nobody will relay it: its connection and its decoder go. */
export function dropAnswer({ body, tap }: HeldAnswer): void {
  body.cancel();
  tap.dispose();
}

export type Attempt =
  | { readonly outcome: AttemptOutcome; readonly answer: HeldAnswer | null }
  /** The client left, or the gateway is stopping: nobody waits for an answer. */
  | "abandoned";

/** A plain answer up to this size is held whole, so that one cut short can still be tried elsewhere. */
const HOLD_WHOLE_BYTES = 256 * 1024;
/** An error body is read to this size before it is judged; what comes after is relayed as it arrives. */
const HOLD_ERROR_BYTES = 1024 * 1024;

/** Pings and comments alone: no stream needs as many before it begins. */
const HOLD_STREAM_BYTES = 1024 * 1024;

const CUT_BEFORE_CONTENT: AttemptOutcome = { kind: "failure", failure: "reset", wasSent: true };

/** One request to one account, up to the point where somebody must decide. */
export async function attempt(
  walk: Walk,
  lease: Lease,
  headers: readonly HeaderField[],
  rooms: Rooms,
): Promise<Attempt> {
  const { call, facts } = walk;
  const { deadlines } = rooms;
  walk.attempts += 1;
  const sent = await rooms.upstream.send(
    {
      baseUrl: lease.account.baseUrl,
      method: call.method,
      target: call.path + call.query,
      headers,
      credentialKind: lease.account.credentialKind,
      credential: lease.credential,
      body: walk.body,
      deadlines: {
        connectMs: deadlines.connectMs,
        headersMs: facts.isStream ? deadlines.streamHeadersMs : deadlines.headersMs,
        idleMs: facts.isStream ? deadlines.idleMs : deadlines.totalMs,
        totalMs: facts.isStream ? deadlines.streamTotalMs : deadlines.totalMs,
      },
    },
    call.signal,
  );
  if (!sent.ok) {
    return failed(sent.error);
  }
  return look(walk, sent.value, rooms);
}

function look(walk: Walk, response: UpstreamResponse, rooms: Rooms): Promise<Attempt> {
  const body = holdBody(response.body);
  const isStream = response.status === 200 && isEventStream(response.headers);
  return isStream ? holdStream(walk, { response, body }, rooms) : holdWhole(walk, { response, body }, rooms);
}

/** Waits while the body is held; a client that leaves ends the wait. Nothing is awaited when it is held already. */
async function whileHolding(walk: Walk, body: HeldBody, holding: Promise<void>): Promise<void> {
  const { signal } = walk.call;
  const leave = () => body.cancel();
  signal.addEventListener("abort", leave);
  if (signal.aborted) {
    leave();
  }
  await holding;
  signal.removeEventListener("abort", leave);
}

type Looking = { readonly response: UpstreamResponse; readonly body: HeldBody };

/** The first-event gate: a 200 may still open with an error (protocol.md P48). */
async function holdStream(walk: Walk, { response, body }: Looking, rooms: Rooms): Promise<Attempt> {
  const tap = createStreamTap(headerOf(response.headers, "content-encoding"));
  const events = tap.meter.events;
  const isEnough = () => events.firstEvent !== null || tap.isBlind || body.heldBytes > HOLD_STREAM_BYTES;
  const holding = body.hold((chunk) => {
    const looking = tap.feed(chunk);
    return looking === undefined ? isEnough() : looking.then(isEnough);
  });
  const isLate = holding !== undefined && (await gateClosed(walk, body, holding, rooms));
  if (isLate) {
    tap.dispose();
    return { outcome: { kind: "failure", failure: "headers_timeout", wasSent: true }, answer: null };
  }
  if (events.firstEvent === null && body.end !== null) {
    // The stream broke off before the answer began; without any event even a clean end is no answer.
    if (body.end !== "end") {
      tap.dispose();
      return failed(body.end);
    }
    if (!tap.isBlind || body.heldBytes === 0) {
      return { outcome: CUT_BEFORE_CONTENT, answer: null };
    }
  }
  const limits = readLimitFacts(response.headers, rooms.clock.now());
  const error = events.firstEvent?.kind === "error" ? events.firstEvent.error : null;
  return {
    outcome: {
      kind: "answer",
      status: error === null ? response.status : streamErrorStatus(error.type),
      limits,
      errorType: error?.type ?? null,
      errorMessage: error?.message ?? null,
    },
    answer: { response, body, tap },
  };
}

/** True when the gate's time ran out before the first event. */
async function gateClosed(walk: Walk, body: HeldBody, holding: Promise<void>, rooms: Rooms): Promise<boolean> {
  const untilMs = after(rooms.clock.now(), rooms.deadlines.streamHeadersMs);
  let isLate = false;
  const watch = {
    tick(nowMs: EpochMs) {
      if (nowMs >= untilMs) {
        isLate = true;
        body.cancel();
      }
    },
    stop: () => body.cancel(),
  };
  rooms.streams.add(watch);
  await whileHolding(walk, body, holding);
  rooms.streams.remove(watch);
  return isLate;
}

async function holdWhole(walk: Walk, { response, body }: Looking, rooms: Rooms): Promise<Attempt> {
  const tap = createWholeTap(headerOf(response.headers, "content-encoding"));
  const isError = response.status >= 400;
  const limitBytes = isError ? HOLD_ERROR_BYTES : HOLD_WHOLE_BYTES;
  const holding = body.hold((chunk) => {
    void tap.feed(chunk);
    return body.heldBytes > limitBytes;
  });
  if (holding !== undefined) {
    await whileHolding(walk, body, holding);
  }
  if (body.end !== null && body.end !== "end") {
    tap.dispose();
    return failed(body.end);
  }
  const limits = readLimitFacts(response.headers, rooms.clock.now());
  const facts = isError ? await tap.finish() : null;
  return {
    outcome: {
      kind: "answer",
      status: response.status,
      limits,
      errorType: facts?.error?.type ?? null,
      errorMessage: facts?.error?.message ?? null,
    },
    answer: { response, body, tap },
  };
}

function failed(failure: UpstreamFailure): Attempt {
  return failure.kind === "aborted"
    ? "abandoned"
    : { outcome: { kind: "failure", failure: failure.kind, wasSent: failure.wasSent }, answer: null };
}

function isEventStream(headers: readonly HeaderField[]): boolean {
  return headerOf(headers, "content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
}
