import { MAX_LINE_BYTES } from "./token-protocol.ts";

/** The lines of a stream. @throws Error when one is longer than 64 KiB. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
    if (rest.length > MAX_LINE_BYTES) throw new Error(`Cannot read a line of more than ${MAX_LINE_BYTES} bytes`);
  }
}
