import type { Answer, Call } from "../gateway/call.ts";
import type { PushBody } from "../gateway/ports.ts";

/** Bytes that may wait for a slow client before its upstream is paused. */
const HIGH_WATER_BYTES = 64 * 1024;
/** Bun drops what was queued just before a stream errors: the last event gets this long to leave. */
const FLUSH_MS = 20;

/** The answer as Bun sends it. `done` is called once, when the last byte was handed over or the client left. */
export function responseOf(answer: Answer | null, call: Call, done: () => void): Response {
  if (answer === null) {
    // The client left; nobody reads this.
    done();
    return new Response(null, { status: 499 });
  }
  const headers = new Headers();
  for (const [name, value] of answer.headers) {
    headers.append(name, value);
  }
  const { status, body } = answer;
  if (body === null || body instanceof Uint8Array) {
    done();
    return new Response(call.method === "HEAD" ? null : body, { status, headers });
  }
  return new Response(streamOf(body, done), { status, headers });
}

function streamOf(body: PushBody, done: () => void): ReadableStream<Uint8Array> {
  let isPaused = false;
  let isOver = false;
  const over = () => {
    if (!isOver) {
      isOver = true;
      done();
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.subscribe({
          // hot path: once per streamed event.
          onChunk(chunk) {
            if (isOver) {
              return;
            }
            controller.enqueue(chunk);
            if ((controller.desiredSize ?? 0) <= 0 && !isPaused) {
              isPaused = true;
              body.pause();
            }
          },
          onEnd() {
            over();
            controller.close();
          },
          onFailure(failure) {
            over();
            setTimeout(() => controller.error(new Error(failure.detail)), FLUSH_MS);
          },
        });
      },
      pull() {
        if (isPaused) {
          isPaused = false;
          body.resume();
        }
      },
      cancel() {
        over();
        body.cancel();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
  );
}
