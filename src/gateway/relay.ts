import type { AttemptOutcome } from "../domain/failover/outcome.ts";
import type { HeldAnswer } from "./attempt.ts";
import type { Answer } from "./call.ts";
import { headerOf, headersDown } from "./headers.ts";
import { gatewayHeaders } from "./refusal.ts";
import { meteredBody } from "./relay-body.ts";
import { guardStream } from "./relay-stream.ts";
import type { Rooms } from "./rooms.ts";
import type { WholeTap } from "./tap.ts";
import { releaseBody, settleWalk, type Walk } from "./walk.ts";

/** Gives the held answer to the client, bytes unchanged. From here on nothing is attempted again. */
export function relay(walk: Walk, answer: HeldAnswer, outcome: AttemptOutcome, rooms: Rooms): Answer {
  const { response, body, tap } = answer;
  walk.upstreamRequestId = headerOf(response.headers, "request-id");
  releaseBody(walk, rooms);
  const { status } = response;
  const headers = headersDown(response.headers);
  headers.push(...gatewayHeaders(walk.call.id, walk.attempts));
  const { shownChunks } = body;
  const errorType = outcome.kind === "answer" ? outcome.errorType : null;
  if (tap.kind === "stream") {
    const source = body.release();
    const isJudgedError = errorType !== null;
    return { status, headers, body: guardStream({ walk, rooms, tap, source, shownChunks, status, isJudgedError }) };
  }
  if (body.end === "end") {
    for (const chunk of body.chunks.slice(shownChunks)) {
      void tap.feed(chunk);
    }
    const bytes = joined(body.chunks);
    walk.firstByteAtMs = bytes.length === 0 ? null : rooms.clock.now();
    walk.responseBytes = bytes.length;
    settleWhole({ walk, rooms, tap, status, errorType, end: "complete" });
    return { status, headers, body: bytes };
  }
  return {
    status,
    headers,
    // Unchanged bytes have an unchanged length: a large answer needs no chunks.
    contentLength: response.contentLength,
    body: meteredBody({
      walk,
      rooms,
      tap,
      source: body.release(),
      shownChunks,
      finish: (end) => settleWhole({ walk, rooms, tap, status, errorType, end }),
    }),
  };
}

type WholeEnd = {
  readonly walk: Walk;
  readonly rooms: Rooms;
  readonly tap: WholeTap;
  readonly status: number;
  readonly errorType: string | null;
  readonly end: "complete" | "cut" | "client_gone";
};

/** Writes the row once the tap has read the body: at once for plain bytes, a moment later for encoded ones. */
function settleWhole({ walk, rooms, tap, status, errorType, end }: WholeEnd): void {
  const facts = tap.finish();
  const settle = (read: Awaited<typeof facts>) =>
    settleWalk(
      walk,
      {
        status,
        outcome: end !== "complete" && walk.presence.isRevoked ? "revoked" : outcomeOf(end, status),
        usage: read.usage,
        errorType: errorType ?? read.error?.type ?? null,
        thinkingDropped: read.thinkingDropped,
      },
      rooms,
    );
  if (facts instanceof Promise) {
    rooms.background(facts.then(settle));
  } else {
    settle(facts);
  }
}

function outcomeOf(end: WholeEnd["end"], status: number): "completed" | "upstream_error" | "truncated" | "client_gone" {
  if (end === "complete") {
    return status < 400 ? "completed" : "upstream_error";
  }
  return end === "cut" ? "truncated" : "client_gone";
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
}
