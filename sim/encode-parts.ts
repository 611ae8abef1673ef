import type { Transform } from "node:stream";
import { constants, createBrotliCompress, createGzip, createZstdCompress } from "node:zlib";
import { assertNever } from "../src/kernel/result.ts";
import type { ContentEncoding } from "./step.ts";

type Flushable = Transform & { flush(kind: number, done: () => void): void };

/**
 * Encodes parts as one compressed body, flushed after each, so that every part can be decoded as soon as it is
 * there. Gives as many parts, plus one for the end of the body. All of it is held in memory: scripts are small.
 */
export async function encodeParts(
  parts: readonly Uint8Array[],
  encoding: ContentEncoding,
): Promise<readonly Uint8Array[]> {
  const { stream, flushKind } = encoder(encoding);
  const encoded: Uint8Array[] = [];
  let collected: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => collected.push(bytes));
  function take(): void {
    encoded.push(Buffer.concat(collected));
    collected = [];
  }
  for (const part of parts) {
    stream.write(part);
    await new Promise<void>((resolve) => stream.flush(flushKind, resolve));
    take();
  }
  await new Promise<void>((resolve, reject) => {
    stream.once("end", resolve);
    stream.once("error", reject);
    stream.end();
  });
  take();
  return encoded;
}

function encoder(encoding: ContentEncoding): { readonly stream: Flushable; readonly flushKind: number } {
  switch (encoding) {
    case "gzip":
      return { stream: createGzip(), flushKind: constants.Z_SYNC_FLUSH };
    case "br":
      return { stream: createBrotliCompress(), flushKind: constants.BROTLI_OPERATION_FLUSH };
    case "zstd":
      return { stream: createZstdCompress(), flushKind: constants.ZSTD_e_flush };
    default:
      return assertNever(encoding);
  }
}
