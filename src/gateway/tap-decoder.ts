import zlib from "node:zlib";

/** Decodes a copy of an encoded body for the tap. It may give up; the relay never notices. */
export interface TapDecoder {
  /** Resolves when `chunk` has been decoded, or at once when the decoder gave up. Never rejects. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when all written bytes were decoded. Never rejects. */
  finish(): Promise<void>;
  /** Stops decoding and frees what it holds. Idempotent. */
  giveUp(): void;
  /** Bytes were lost to the tap: what it saw is not the whole body. */
  readonly hasGivenUp: boolean;
}

/** A bomb stops here: no answer of the Messages API comes near it. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;
/** Encoded bytes that wait for the decoder's thread; beyond it the tap gives up rather than hold memory. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

type Decompressor = zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress | zlib.ZstdDecompress;

export function createTapDecoder(contentEncoding: string, onBytes: (bytes: Uint8Array) => void): TapDecoder {
  const stream = decompressor(contentEncoding);
  let decodedBytes = 0;
  let backlogBytes = 0;
  let hasGivenUp = stream === null;
  let isEnding = false;
  const finished = Promise.withResolvers<void>();
  // Not Promise.race with `finished`: that would keep one reaction for every chunk until the stream ends.
  const writing = new Set<() => void>();
  const over = () => {
    finished.resolve();
    for (const written of writing) {
      written();
    }
  };
  const giveUp = () => {
    hasGivenUp = true;
    stream?.destroy();
    over();
  };
  stream?.on("data", (bytes: Uint8Array) => {
    decodedBytes += bytes.length;
    if (decodedBytes > MAX_DECODED_BYTES) {
      giveUp();
    } else {
      onBytes(bytes);
    }
  });
  stream?.on("error", () => {
    // Nothing more comes: the body was cut in the middle of a block, and what was decoded is what there was of it.
    if (isEnding) {
      over();
    } else {
      giveUp();
    }
  });
  stream?.on("end", over);
  stream?.on("close", over);

  return {
    get hasGivenUp() {
      return hasGivenUp;
    },
    write(chunk) {
      if (hasGivenUp || stream === null) {
        return Promise.resolve();
      }
      backlogBytes += chunk.length;
      if (backlogBytes > MAX_BACKLOG_BYTES) {
        giveUp();
        return Promise.resolve();
      }
      return new Promise<void>((resolve) => {
        const written = () => {
          writing.delete(written);
          resolve();
        };
        writing.add(written);
        stream.write(chunk, () => {
          backlogBytes -= chunk.length;
          written();
        });
      });
    },
    finish() {
      if (!hasGivenUp) {
        isEnding = true;
        stream?.end();
      } else {
        finished.resolve();
      }
      return finished.promise;
    },
    giveUp,
  };
}

/** Null for an encoding that we do not read (several stacked ones included): it is relayed, not metered. */
function decompressor(contentEncoding: string): Decompressor | null {
  switch (contentEncoding.trim().toLowerCase()) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip();
    case "deflate":
      return zlib.createInflate();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress();
    default:
      return null;
  }
}
