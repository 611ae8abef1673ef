import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createHeadReader, type HeadStep, readHead } from "./response-head.ts";

const LIMIT_BYTES = 131_072;

function read(text: string, options: { isForHead?: boolean; maxBytes?: number } = {}): HeadStep {
  const reader = createHeadReader(options.maxBytes ?? LIMIT_BYTES, options.isForHead ?? false);
  return readHead(reader, Buffer.from(text, "latin1"));
}

/** The same bytes in pieces that end at `cuts`. */
function readInPieces(bytes: Buffer, cuts: readonly number[], maxBytes = LIMIT_BYTES): unknown {
  const reader = createHeadReader(maxBytes, false);
  const edges = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...edges, bytes.length]) {
    const step = readHead(reader, Buffer.from(bytes.subarray(from, to)));
    from = to;
    if (step.kind === "bad") return step;
    if (step.kind === "head") {
      return { ...step, rest: Buffer.concat([step.rest, bytes.subarray(from)]).toString("latin1") };
    }
  }
  return { kind: "more" };
}

function head(fields: string): string {
  return `HTTP/1.1 200 OK\r\n${fields}\r\n`;
}

describe("accepts", () => {
  test("a head with a length, keeping case, order, repeats and obs-text", () => {
    const step = read(
      `${head("Set-Cookie: a\r\nX-b:  c d \t\r\nset-cookie: \xe9\xa0\r\nContent-Length: 3\r\nE:\r\n")}abcd`,
    );
    expect(step.kind === "head" && step.head).toEqual({
      status: 200,
      headers: [
        ["Set-Cookie", "a"],
        ["X-b", "c d"],
        ["set-cookie", "\xe9\xa0"],
        ["Content-Length", "3"],
        ["E", ""],
      ],
      framing: "length",
      contentLength: 3,
      isReusable: true,
    });
    expect(step.kind === "head" && step.rest.toString()).toBe("abcd");
  });

  test.each([
    { text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", framing: "chunked", isReusable: true },
    { text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", framing: "length", isReusable: true },
    { text: "HTTP/1.1 200 \r\n\r\n", framing: "close", isReusable: false },
    {
      text: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
      framing: "length",
      isReusable: false,
    },
    {
      text: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, Close\r\n\r\n",
      framing: "length",
      isReusable: false,
    },
    {
      text: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: disclose\r\n\r\n",
      framing: "length",
      isReusable: true,
    },
    { text: "HTTP/1.1 204 No\r\n\r\n", framing: "none", isReusable: true },
    { text: "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", framing: "none", isReusable: false },
    { text: "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", framing: "none", isReusable: true },
    {
      text: "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
      framing: "length",
      isReusable: true,
    },
    { text: "HTTP/1.1 599 ?\r\nContent-Length: 0\r\n\r\n", framing: "length", isReusable: true },
  ])("a head as $framing with isReusable $isReusable", ({ text, framing, isReusable }) => {
    const step = read(text);
    expect(step.kind === "head" && step.head).toMatchObject({ framing, isReusable });
  });

  test("no body after a HEAD request", () => {
    const step = read(head("Content-Length: 5\r\n"), { isForHead: true });
    expect(step.kind === "head" && step.head).toMatchObject({ framing: "none", contentLength: null });
  });

  test("ten interim responses, not eleven", () => {
    const interim = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n";
    expect(read(interim.repeat(10) + head("A: b\r\n")).kind).toBe("head");
    expect(read(interim.repeat(11)).kind).toBe("bad");
  });

  test("300 fields, not 301; the limit of bytes, not one more", () => {
    expect(read(head("a: b\r\n".repeat(300))).kind).toBe("head");
    expect(read(head("a: b\r\n".repeat(301))).kind).toBe("bad");
    const long = head(`a: ${"b".repeat(64_000)}\r\n`);
    expect(read(long, { maxBytes: long.length }).kind).toBe("head");
    expect(read(long, { maxBytes: long.length - 1 }).kind).toBe("bad");
    expect(read(`HTTP/1.1 200 ${"x".repeat(200)}`, { maxBytes: 100 }).kind).toBe("bad");
  });
});

test.each([
  "HTTP/2 200 OK\r\n\r\n",
  "HTTP/1.2 200 OK\r\n\r\n",
  "HTTP/0.9 200 OK\r\n\r\n",
  "http/1.1 200 OK\r\n\r\n",
  "HTTP/1.1  200 OK\r\n\r\n",
  "HTTP/1.1\t200 OK\r\n\r\n",
  "HTTP/1.1 99 OK\r\n\r\n",
  "HTTP/1.1 099 OK\r\n\r\n",
  "HTTP/1.1 600 OK\r\n\r\n",
  "HTTP/1.1 999 OK\r\n\r\n",
  "HTTP/1.1 2000 OK\r\n\r\n",
  "HTTP/1.1 20x OK\r\n\r\n",
  "HTTP/1.1 +20 OK\r\n\r\n",
  "HTTP/1.1 200OK\r\n\r\n",
  "SSH-2.0-x\r\n\r\n",
  "\r\nHTTP/1.1 200 OK\r\n\r\n",
  " HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
  "\r\n\r\n",
  "<html>\r\n\r\n",
  "HTTP/1.1 200 OK\n\n",
  "HTTP/1.1 200 OK\nA: b\r\n",
  "HTTP/1.1 200 OK\rA: b\r\n",
  "HTTP/1.1 200 O\0K\r\n",
  ...[
    "A: b\n",
    "A: b\rc\r\n",
    "A: b\r\r\n",
    "A: \0\r\n",
    "A: \x7f\r\n",
    "A: \x01\r\n",
    "A: b\r\n folded\r\n",
    "A: b\r\n\tfolded\r\n",
    " A: b\r\n",
    "A : b\r\n",
    "A\t: b\r\n",
    ": b\r\n",
    "no colon\r\n",
    "A b: c\r\n",
    "A\x80: b\r\n",
    "A(: b\r\n",
    "A@b: c\r\n",
    "A\0: b\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n",
    "Content-Length: 3\r\nContent-Length: 3\r\n",
    "Content-Length: 3\r\ncontent-length: 3\r\n",
    "Content-Length: 3, 3\r\n",
    "Content-Length: +3\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 0x3\r\n",
    "Content-Length: 003\r\n",
    "Content-Length: 3.0\r\n",
    "Content-Length: 1e3\r\n",
    "Content-Length:\r\n",
    "Content-Length: 9007199254740993\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length: 3 4\r\n",
    "Content-Length: \xa03\r\n",
    "Content-Length : 3\r\n",
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked;a=b\r\n",
    'Transfer-Encoding: "chunked"\r\n',
    "Transfer-Encoding:\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: \x0bchunked\r\n",
  ].map((fields) => head(fields)),
  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
])("refuses %j, however it is cut", (text) => {
  expect(read(text).kind).toBe("bad");
  const bytes = Buffer.from(text, "latin1");
  expect(readInPieces(bytes, bytes.map((_byte, index) => index) as unknown as number[])).toMatchObject({ kind: "bad" });
});

const anyHead = fc
  .array(fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,12}$/), fc.stringMatching(/^[ -~]{0,20}$/)), { maxLength: 8 })
  .map((fields) => `${head(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(""))}body\r\n\r\n`);

test("gives the same result however the bytes are cut", () => {
  fc.assert(
    fc.property(
      anyHead,
      fc.integer({ min: 0, max: 2 }),
      fc.array(fc.nat(400), { maxLength: 12 }),
      (text, interims, cuts) => {
        const bytes = Buffer.from("HTTP/1.1 102 P\r\n\r\n".repeat(interims) + text, "latin1");
        expect(readInPieces(bytes, cuts)).toEqual(readInPieces(bytes, []));
      },
    ),
  );
});

test("never throws on mutated bytes, and cutting them changes nothing", () => {
  const mutation = fc.tuple(fc.nat(400), fc.constantFrom(0, 9, 10, 13, 32, 58, 127, 128, 255, 48, 72));
  fc.assert(
    fc.property(
      anyHead,
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(400)),
      (text, mutations, cuts) => {
        const bytes = Buffer.from(text, "latin1");
        for (const [at, byte] of mutations) bytes[at % bytes.length] = byte;
        expect(readInPieces(bytes, cuts)).toEqual(readInPieces(bytes, []));
      },
    ),
    { numRuns: 2_000 },
  );
});

test("reads a head of 64 KB that arrives byte by byte in linear time", () => {
  const bytes = Buffer.from(head(`a: ${"b".repeat(64_000)}\r\n`));
  const startedAt = performance.now();
  const everyByte = Array.from(bytes, (_byte, index) => index);
  expect(readInPieces(bytes, everyByte)).toMatchObject({ kind: "head" });
  // Quadratic work would be 2 * 10^9 steps.
  expect(performance.now() - startedAt).toBeLessThan(1_500);
});
