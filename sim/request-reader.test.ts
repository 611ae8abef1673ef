import { expect, test } from "bun:test";
import fc from "fast-check";
import { createRequestReader } from "./request-reader.ts";

type Seen = { readonly target: string; body: string; problem: string | null };

/** Reads the pieces as one connection would; every request is answered at once. */
function read(pieces: readonly Buffer[]): readonly Seen[] {
  const seen: Seen[] = [];
  const reader = createRequestReader({
    onHead: (head) => void seen.push({ target: head.target, body: "", problem: null }),
    onBody(part) {
      const last = seen.at(-1);
      if (last !== undefined) last.body += Buffer.from(part).toString("latin1");
    },
    onEnd: () => reader.resume(),
    onProblem: (problem) => void seen.push({ target: "", body: "", problem }),
  });
  for (const piece of pieces) reader.push(piece);
  return seen;
}

function cutAt(bytes: Buffer, positions: readonly number[]): readonly Buffer[] {
  const cuts = [0, ...positions.map((at) => at % bytes.length).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

const THREE_REQUESTS = Buffer.from(
  [
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nab",
    "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
    "GET /c HTTP/1.1\r\nHost: x\r\n\r\n",
  ].join(""),
);

test("reads the same requests however the bytes are cut", () => {
  const whole = [
    { target: "/a", body: "hello\r\n\r\nab", problem: null },
    { target: "/b", body: "abc0123456789", problem: null },
    { target: "/c", body: "", problem: null },
  ];
  expect(read([THREE_REQUESTS])).toEqual(whole);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (positions) => {
      expect(read(cutAt(THREE_REQUESTS, positions))).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["a request line without version", "GET /\r\nHost: x\r\n\r\n"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"],
  [
    "Content-Length and Transfer-Encoding",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
  ],
  ["two Content-Lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"],
  ["a signed Content-Length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n"],
  ["a coding that is not chunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
  ["a folded header", "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"],
  ["a space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"],
  ["a bare line feed in a header", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"],
  ["a NUL in a header", "GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"],
  ["a chunk size that is no number", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"],
  ["a chunk longer than its size", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"],
  [
    "a chunk size that ends with a bare line feed",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
  ],
])("refuses %s", (_name, text) => {
  expect(read([Buffer.from(text)]).at(-1)?.problem).toBe("malformed");
});

test("refuses a head over 256 KiB and a body over 32 MiB", () => {
  const longHead = `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(256 * 1024)}`;
  expect(read([Buffer.from(longHead)]).at(-1)?.problem).toBe("head_too_large");
  const longBody = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n";
  expect(read([Buffer.from(longBody)]).at(-1)?.problem).toBe("body_too_large");
});
