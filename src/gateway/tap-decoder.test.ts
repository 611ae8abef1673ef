import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { createTapDecoder } from "./tap-decoder.ts";

const TEXT = "the quick brown fox ".repeat(500);

function decoding(encoding: string) {
  const seen: Uint8Array[] = [];
  const decoder = createTapDecoder(encoding, (bytes) => void seen.push(bytes));
  return { decoder, text: () => Buffer.concat(seen).toString() };
}

describe("a body", () => {
  test.each([
    { encoding: "gzip", bytes: zlib.gzipSync(TEXT) },
    { encoding: "X-GZIP", bytes: zlib.gzipSync(TEXT) },
    { encoding: " deflate ", bytes: zlib.deflateSync(TEXT) },
    { encoding: "br", bytes: zlib.brotliCompressSync(TEXT) },
    { encoding: "zstd", bytes: zlib.zstdCompressSync(TEXT) },
  ])("in $encoding is decoded however it is cut", async ({ encoding, bytes }) => {
    const { decoder, text } = decoding(encoding);
    for (let at = 0; at < bytes.length; at += 7) await decoder.write(bytes.subarray(at, at + 7));
    await decoder.finish();
    expect(text()).toBe(TEXT);
    expect(decoder.hasGivenUp).toBe(false);
    await decoder.finish();
  });

  test.each(["compress", "gzip, br", "identity, gzip", "unknown"])("in %s is not looked at", async (encoding) => {
    const { decoder, text } = decoding(encoding);
    expect(decoder.hasGivenUp).toBe(true);
    await decoder.write(new Uint8Array(10));
    await decoder.finish();
    expect(text()).toBe("");
  });

  test("that is not what it says makes the decoder give up, without an error", async () => {
    const { decoder } = decoding("gzip");
    await decoder.write(Buffer.from("no gzip at all, and long enough to tell"));
    await decoder.finish();
    expect(decoder.hasGivenUp).toBe(true);
    await decoder.write(new Uint8Array(10));
  });

  test("that was cut is decoded as far as it goes", async () => {
    const { decoder, text } = decoding("gzip");
    const random = Buffer.from(Array.from({ length: 40_000 }, (_, index) => (index * 7_919) % 251));
    await decoder.write(zlib.gzipSync(random).subarray(0, -20));
    await decoder.finish();
    // It can tell that the body is not whole: that is not blindness.
    expect(decoder.hasGivenUp).toBe(false);
    expect(text().length).toBeGreaterThan(0);
  });

  test("that would fill the memory is given up at 64 MiB", async () => {
    let seenBytes = 0;
    const decoder = createTapDecoder("gzip", (bytes) => {
      seenBytes += bytes.length;
    });
    await decoder.write(zlib.gzipSync(Buffer.alloc(80 * 1024 * 1024)));
    await decoder.finish();
    expect(decoder.hasGivenUp).toBe(true);
    expect(seenBytes).toBeLessThanOrEqual(64 * 1024 * 1024);
  });

  test("that comes faster than it can be decoded is given up at 4 MiB of backlog", async () => {
    const { decoder } = decoding("gzip");
    const chunk = new Uint8Array(1024 * 1024);
    const writes = Array.from({ length: 6 }, () => decoder.write(chunk));
    expect(decoder.hasGivenUp).toBe(true);
    await Promise.all(writes);
    await decoder.finish();
  });
});

test("a decoder that is told to give up lets every writer go", async () => {
  const { decoder } = decoding("br");
  const writes = [decoder.write(new Uint8Array(100)), decoder.write(new Uint8Array(100))];
  decoder.giveUp();
  decoder.giveUp();
  await Promise.all(writes);
  await decoder.finish();
  expect(decoder.hasGivenUp).toBe(true);
});
