import { requestId } from "../domain/ledger/record.ts";
import type { BodyProblem, Call } from "../gateway/call.ts";
import type { Clock } from "../gateway/ports.ts";
import { durationMs, elapsed, type EpochMs } from "../kernel/time.ts";
import { err, ok, type Result } from "../kernel/result.ts";

export type CallOptions = {
  readonly clock: Clock;
};

/** An upload gets ten seconds, and then must have come at 1 KiB a second on average (security.md D23). */
const UPLOAD_GRACE_MS = 10_000;
const UPLOAD_BYTES_PER_MS = 1.024;
const DIGITS = /^\d{1,15}$/;

type Read = Result<Uint8Array, BodyProblem | "over_budget">;

/** What Bun accepted, as a call. Bun has refused malformed framing by now (deps.md, smuggling set). */
export function callOf(request: Request, server: Bun.Server<undefined>, { clock }: CallOptions): Call {
  const { path, query } = targetOf(request.url);
  const declaredBytes = declaredBytesOf(request);
  const acceptedAtMs = clock.now();
  return {
    id: requestId(Bun.randomUUIDv7()),
    method: request.method,
    path,
    query,
    header: (name) => request.headers.get(name),
    headers: request.headers,
    declaredBytes,
    readBody(limitBytes, reserve) {
      if (declaredBytes !== null && declaredBytes > limitBytes) {
        return Promise.resolve(err("too_large"));
      }
      if (declaredBytes === null) {
        return readChunked(request, { limitBytes, reserve, clock });
      }
      return reserve(declaredBytes) ? readDeclared(request, declaredBytes, clock) : Promise.resolve(err("over_budget"));
    },
    admitted: () => server.timeout(request, 0),
    signal: request.signal,
    acceptedAtMs,
  };
}

/** Bun builds `url` from Host, which may be hostile: the target is cut out, the URL is never parsed again. */
function targetOf(url: string): { path: string; query: string } {
  const schemeEnd = url.indexOf("://");
  const pathStart = url.indexOf("/", schemeEnd < 0 ? 0 : schemeEnd + 3);
  const target = pathStart < 0 ? "/" : url.slice(pathStart);
  const queryStart = target.indexOf("?");
  return queryStart < 0
    ? { path: target, query: "" }
    : { path: target.slice(0, queryStart), query: target.slice(queryStart) };
}

function declaredBytesOf(request: Request): number | null {
  const length = request.headers.get("content-length");
  if (length !== null && DIGITS.test(length)) {
    return Number(length);
  }
  return request.headers.has("transfer-encoding") ? null : 0;
}

async function readDeclared(request: Request, bytes: number, clock: Clock): Promise<Read> {
  const late = lateAfter(clock, UPLOAD_GRACE_MS + bytes / UPLOAD_BYTES_PER_MS);
  try {
    const body = await Promise.race([request.arrayBuffer(), late.promise]);
    return body === "too_slow" ? err("too_slow") : ok(new Uint8Array(body));
  } catch (cause) {
    return leftOrThrow(request, cause);
  } finally {
    late.dispose();
  }
}

type ChunkedRead = {
  readonly limitBytes: number;
  readonly reserve: (bytes: number) => boolean;
  readonly clock: Clock;
};

async function readChunked(request: Request, { limitBytes, reserve, clock }: ChunkedRead): Promise<Read> {
  const reader = request.body?.getReader();
  if (reader === undefined) {
    return ok(new Uint8Array(0));
  }
  const startMs = clock.now();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const stop = async (problem: BodyProblem | "over_budget"): Promise<Read> => {
    await reader.cancel();
    return err(problem);
  };
  try {
    for (;;) {
      const spentMs = elapsed(startMs, clock.now());
      const late = lateAfter(clock, UPLOAD_GRACE_MS + bytes / UPLOAD_BYTES_PER_MS - spentMs);
      const next = await Promise.race([reader.read(), late.promise]).finally(late.dispose);
      if (next === "too_slow") {
        return await stop("too_slow");
      }
      if (next.done) {
        return ok(Buffer.concat(chunks));
      }
      bytes += next.value.length;
      if (bytes > limitBytes) {
        return await stop("too_large");
      }
      if (!reserve(next.value.length)) {
        return await stop("over_budget");
      }
      chunks.push(next.value);
    }
  } catch (cause) {
    return leftOrThrow(request, cause);
  }
}

/** Bun rejects the read when the connection closes. Anything else is a bug and goes on. */
function leftOrThrow(request: Request, cause: unknown): Read {
  if (request.signal.aborted || (cause instanceof Error && cause.name === "AbortError")) {
    return err("client_gone");
  }
  throw cause;
}

function lateAfter(clock: Clock, ms: number): { promise: Promise<"too_slow">; dispose: () => void } {
  const { promise, resolve } = Promise.withResolvers<"too_slow">();
  const end: EpochMs = (clock.now() + ms) as EpochMs;
  const dispose = clock.every(durationMs(1_000), () => {
    if (clock.now() >= end) {
      resolve("too_slow");
    }
  });
  return { promise, dispose };
}
