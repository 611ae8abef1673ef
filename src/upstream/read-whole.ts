import type { PushBody } from "../gateway/ports.ts";

/** Null when the body broke off or has more than `maxBytes`; then the connection is gone. */
export function readWhole(body: PushBody, maxBytes: number): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  body.subscribe({
    onChunk(chunk) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        body.cancel();
        resolve(null);
      } else {
        chunks.push(chunk);
      }
    },
    onEnd: () => resolve(Buffer.concat(chunks)),
    onFailure: () => resolve(null),
  });
  return promise;
}
