import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BAD_CHUNK, BAD_TRAILER } from "./head-problem.ts";
import { feedUpload, openUpload, type UploadStep } from "./upload.ts";

const LIMIT_BYTES = 1_000;

type Outcome = { readonly end: UploadStep; readonly body: string; readonly rest: string; readonly reserved: number };

function upload(text: string, declaredBytes: number | null, cuts: readonly number[] = [], budget = Infinity): Outcome {
  let reserved = 0;
  const reserve = (bytes: number) => {
    const isReserved = reserved + bytes <= budget;
    reserved += isReserved ? bytes : 0;
    return isReserved;
  };
  const reading = openUpload({ declaredBytes, limitBytes: LIMIT_BYTES, reserve });
  const bytes = Buffer.from(text, "latin1");
  const edges = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of edges) {
    // Each read is memory of its own, as the socket gives it.
    const step = feedUpload(reading, Uint8Array.from(bytes.subarray(from, to)));
    if (step !== "more") {
      const body = step === "done" ? Buffer.from(reading.bytes).toString("latin1") : "";
      const rest = step === "done" ? bytes.toString("latin1", from + reading.usedBytes) : "";
      return { end: step, body, rest, reserved };
    }
    from = to;
  }
  return { end: "more", body: "", rest: "", reserved };
}

function chunked(...parts: readonly string[]): string {
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
}

describe("a declared body", () => {
  test("is whole whatever way its bytes were cut, and what follows is left", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 50, unit: "binary-ascii" }),
        fc.array(fc.nat(60)),
        (body, cuts) => {
          const outcome = upload(`${body}next`, body.length, cuts);
          expect(outcome.body).toBe(body);
          expect(outcome.end).toBe("done");
          expect(outcome.rest).toBe("next");
        },
      ),
    );
  });

  test("does not keep a much larger read alive", () => {
    const read = Buffer.alloc(100_000);
    const reading = openUpload({ declaredBytes: 10, limitBytes: LIMIT_BYTES, reserve: () => true });
    expect(feedUpload(reading, read)).toBe("done");
    expect(reading.bytes.buffer.byteLength).toBe(10);
  });

  test("shares the memory of a read that is hardly larger", () => {
    const read = Buffer.from(new ArrayBuffer(11));
    const reading = openUpload({ declaredBytes: 10, limitBytes: LIMIT_BYTES, reserve: () => true });
    feedUpload(reading, read);
    expect(reading.bytes.buffer).toBe(read.buffer);
  });
});

describe("a chunked body", () => {
  test.each([
    { text: chunked(), body: "" },
    { text: chunked("abc", "de"), body: "abcde" },
    { text: "3;name=value\r\nabc\r\n0\r\n\r\n", body: "abc" },
    { text: "3\r\nabc\r\n0\r\nX-Checksum: 1\r\nEtag: y\r\n\r\n", body: "abc" },
  ])("is $body", ({ text, body }) =>
    expect(upload(`${text}next`, null)).toEqual({ end: "done", body, rest: "next", reserved: body.length }),
  );

  test("is whole whatever way its bytes were cut", () => {
    const parts = fc.array(fc.string({ minLength: 1, maxLength: 30, unit: "binary-ascii" }), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.array(fc.nat(400)), (strings, cuts) => {
        const body = strings.join("");
        const outcome = upload(`${chunked(...strings)}next`, null, cuts);
        expect(outcome).toEqual({ end: "done", body, rest: "next", reserved: body.length });
      }),
    );
  });

  test.each(
    ["x", "0x3\r\nabc", "3\nabc", "-3\r\n", "+3\r\n", " 3\r\n", "3\r\nabcd", "3\r\nabc\n", "G\r\n", "0\r\nX"].map(
      (text) => [text],
    ),
  )("is refused as malformed: %j", (text) => {
    const outcome = upload(`${text}\n\n`, null);
    expect([BAD_CHUNK, BAD_TRAILER]).toContain(outcome.end as number);
  });

  test.each(
    [
      "Content-Length: 3",
      "Transfer-Encoding: chunked",
      "Host: a",
      "Authorization: x",
      "Content-Type: x",
      "x-api-key: x",
      "content_length: 3",
      "no colon",
      "X : y",
      ": y",
    ].map((line) => [line]),
  )("is refused for the trailer %s", (line) => expect(upload(`0\r\n${line}\r\n\r\n`, null).end).toBe(BAD_TRAILER));

  test("may not spend more on extensions than on a head", () => {
    const text = `1;${"e".repeat(1_000)}\r\na\r\n`.repeat(20);
    expect(upload(text, null).end).toBe(BAD_CHUNK);
  });

  test("stops at the limit, as soon as a chunk announces more", () => {
    expect(upload(chunked("a".repeat(LIMIT_BYTES)), null).end).toBe("done");
    expect(upload(chunked("a".repeat(LIMIT_BYTES), "b"), null).end).toBe("too_large");
    expect(upload("3e9\r\na", null)).toMatchObject({ end: "too_large", reserved: 0 });
    expect(upload("ffffffffff\r\na", null)).toMatchObject({ end: "too_large", reserved: 0 });
  });

  test("reserves before it keeps, and stops when the budget says no", () => {
    expect(upload(chunked("abc", "def"), null, [], 5)).toMatchObject({ end: "over_budget", reserved: 3 });
  });

  test("of single bytes costs one buffer, not one object for each", () => {
    const reading = openUpload({ declaredBytes: null, limitBytes: 100_000, reserve: () => true });
    feedUpload(reading, Buffer.from("1\r\na\r\n".repeat(50_000)));
    expect(reading.receivedBytes).toBe(50_000);
    expect(reading.bytes.length).toBeLessThanOrEqual(100_000);
  });
});

test("never throws on mutated chunks, and cutting them changes nothing", () => {
  const valid = Buffer.from("5;x=y\r\nhello\r\n1f\r\n0123456789012345678901234567890\r\n0\r\nX-T: x\r\n\r\nnext");
  const mutation = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 4 }), fc.array(fc.nat(100)), (mutations, cuts) => {
      const bytes = Buffer.from(valid);
      for (const [at, byte] of mutations) bytes[at] = byte;
      const text = bytes.toString("latin1");
      const { end, body, rest } = upload(text, null);
      // How much was reserved before a refusal depends on the cuts; the outcome does not.
      expect(upload(text, null, cuts)).toMatchObject({ end, body, rest });
    }),
    { numRuns: 2_000 },
  );
});
