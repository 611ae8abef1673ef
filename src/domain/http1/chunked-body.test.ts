import { expect, test } from "bun:test";
import fc from "fast-check";
import { createChunkedReader, readChunked } from "./chunked-body.ts";

type Outcome = { readonly end: "more" | "done" | "bad"; readonly data: string; readonly rest: string };

function decode(bytes: Buffer, cuts: readonly number[] = []): Outcome {
  const reader = createChunkedReader();
  const edges = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let data = "";
  let from = 0;
  for (const to of [...edges, bytes.length]) {
    const piece = bytes.subarray(from, to);
    let at = 0;
    for (;;) {
      const step = readChunked(reader, piece, at);
      at = reader.next;
      if (step === "more") break;
      if (step === "bad") return { end: "bad", data, rest: "" };
      if (step === "done") return { end: "done", data, rest: bytes.subarray(from + at).toString("latin1") };
      expect(at).toBeGreaterThan(reader.pieceStart);
      data += piece.subarray(reader.pieceStart, at).toString("latin1");
    }
    from = to;
  }
  return { end: "more", data, rest: "" };
}

test.each([
  { text: "0\r\n\r\n", data: "", rest: "" },
  { text: "3\r\nabc\r\n0\r\n\r\n", data: "abc", rest: "" },
  { text: '3;a=b;c="\t"\r\nabc\r\n0\r\n\r\nHTTP/1.1', data: "abc", rest: "HTTP/1.1" },
  { text: "00a\r\n0123456789\r\n1\r\n\n\r\n000\r\nX: y\r\nZ: q\r\n\r\n", data: "0123456789\n", rest: "" },
  { text: "A\r\n0123456789\r\n0\r\n\r\n", data: "0123456789", rest: "" },
])("decodes to $data", ({ text, data, rest }) =>
  expect(decode(Buffer.from(text))).toEqual({ end: "done", data, rest }),
);

test.each([
  "\r\n",
  "0x3\r\nabc\r\n",
  "-1\r\n",
  "+1\r\na\r\n",
  "_1\r\n",
  "1_0\r\n",
  "g\r\n",
  " 3\r\nabc\r\n",
  "3 \r\nabc\r\n",
  "3\t\r\nabc\r\n",
  "3\nabc\r\n",
  "3\rabc\r\n",
  "3\r\rabc",
  ";a\r\n",
  "FFFFFFFFFFFFFFFFF\r\n",
  "00000000000003\r\n",
  "3\r\nabcd\r\n",
  "3\r\nabc\n0\r\n\r\n",
  "3\r\nabcX",
  "3\r\nabc\rX",
  "3;a\nb\r\nabc\r\n",
  "3;a\rb\r\nabc\r\n",
  "3;a\0b\r\nabc\r\n",
  "0\r\n\n",
  "0\r\n\rX",
  "0\r\nX: y\nZ",
  "0\r\nX: \0\r\n",
  "0\r\nX: y\r\n folded\r\n\r\n",
  "0\r\nX: y\rZ",
  `3;${"a".repeat(1_025)}\r\n`,
  `0\r\nX: ${"y".repeat(8_192)}\r\n\r\n`,
  `0\r\n${"X: y\r\n".repeat(2_100)}\r\n`,
])("refuses %j", (text) => expect(decode(Buffer.from(text)).end).toBe("bad"));

test.each(["", "3", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n", "0\r\n", "0\r\nX: y\r\n", "0\r\n\r"])(
  "takes %j for unfinished",
  (text) => expect(decode(Buffer.from(text)).end).toBe("more"),
);

test("decodes what was encoded, however the bytes are cut", () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(400), { maxLength: 10 }), (parts, cuts) => {
      const framed = parts.flatMap((part) => [
        Buffer.from(`${part.length.toString(16)}\r\n`),
        part,
        Buffer.from("\r\n"),
      ]);
      const bytes = Buffer.concat([...framed, Buffer.from("0\r\n\r\nrest")]);
      const data = Buffer.concat(parts).toString("latin1");
      expect(decode(bytes, cuts)).toEqual({ end: "done", data, rest: "rest" });
    }),
  );
});

test("never throws on mutated bytes, and cutting them changes nothing", () => {
  const valid = Buffer.from("5;x=y\r\nhello\r\n1f\r\n0123456789012345678901234567890\r\n0\r\nTrailer: x\r\n\r\nnext");
  const mutation = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 4 }), fc.array(fc.nat(100)), (mutations, cuts) => {
      const bytes = Buffer.from(valid);
      for (const [at, byte] of mutations) bytes[at] = byte;
      expect(decode(bytes, cuts)).toEqual(decode(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test("keeps the trailer as text, and counts the extensions of all chunks", () => {
  const reader = createChunkedReader();
  const bytes = Buffer.from("1;ab\r\nx\r\n1;c\r\ny\r\n0\r\nX-A: 1\r\nY:\r\n\r\n");
  let at = 0;
  while (readChunked(reader, bytes, at) === "piece") at = reader.next;
  expect(reader).toMatchObject({ place: "done", trailer: "X-A: 1\r\nY:\r\n", extensionBytes: 3 });
});
