import type { BodyProblem } from "../../gateway/call.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import { UPLOAD_BYTES_PER_MS, UPLOAD_GRACE_MS } from "./connection-limits.ts";
import type { HeadProblem } from "./head-problem.ts";
import { feedUpload, openUpload, type Upload, type UploadOptions } from "./upload.ts";

export type ReadResult = Result<Uint8Array, BodyProblem | "over_budget">;

const NO_BYTES = Buffer.alloc(0);

/** One request body that the gateway asked for. */
export class BodyReading {
  readonly promise: Promise<ReadResult>;
  readonly #resolve: (result: ReadResult) => void;
  readonly #upload: Upload;
  readonly #startMs: number;
  /** Does it take more bytes? */
  isOpen = true;
  /** The whole body came, so that the next request is found behind it. */
  isWhole = false;
  /** The body is malformed. */
  problem: HeadProblem | null = null;

  constructor(options: UploadOptions, startMs: number) {
    const { promise, resolve } = Promise.withResolvers<ReadResult>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#upload = openUpload(options);
    this.#startMs = startMs;
  }

  /** Gives the bytes that do not belong to the body; none while it is not whole. */
  // hot path
  feed(chunk: Buffer): Buffer {
    const upload = this.#upload;
    const step = feedUpload(upload, chunk);
    if (step === "more") return NO_BYTES;
    if (step === "done") {
      this.isWhole = true;
      this.end(ok(upload.bytes));
      return upload.usedBytes === chunk.length ? NO_BYTES : chunk.subarray(upload.usedBytes);
    }
    if (typeof step === "number") {
      // The gateway need not know: it stops as if the client had left, and the connection tells the client.
      this.problem = step;
      this.end(err("client_gone"));
    } else {
      this.end(err(step));
    }
    return NO_BYTES;
  }

  checkDeadline(nowMs: number): void {
    const allowedMs = UPLOAD_GRACE_MS + this.#upload.receivedBytes / UPLOAD_BYTES_PER_MS;
    if (nowMs - this.#startMs >= allowedMs) this.end(err("too_slow"));
  }

  /** No more of it is taken. Idempotent: the first result counts. */
  end(result: ReadResult): void {
    this.isOpen = false;
    this.#resolve(result);
  }
}
