import { describe, expect, test } from "bun:test";
import { type ResponseHeadOptions, responseHead } from "./response-head.ts";

function head(changes: Partial<ResponseHeadOptions["answer"]>, options: Partial<ResponseHeadOptions> = {}) {
  return responseHead({
    answer: { status: 200, headers: [], ...changes },
    framing: "length",
    lengthBytes: 3,
    mustClose: false,
    dateText: "Mon, 23 Nov 2026 00:00:00 GMT",
    ...options,
  });
}

test("writes names and values as they are, in their order", () => {
  const headers = [
    ["X-One", "1"],
    ["x-ONE", " two\t"],
    ["request-id", "\xe9"],
    ["x-empty", ""],
  ] as const;
  expect(head({ headers })).toBe(
    "HTTP/1.1 200 OK\r\nX-One: 1\r\nx-ONE:  two\t\r\nrequest-id: \xe9\r\nx-empty: \r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Length: 3\r\n\r\n",
  );
});

test("keeps the Date of the answer", () => {
  expect(head({ headers: [["date", "then"]] })).toBe("HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 3\r\n\r\n");
});

test.each([
  { framing: "chunked", lengthBytes: null, ends: "Transfer-Encoding: chunked\r\n\r\n" },
  { framing: "length", lengthBytes: 0, ends: "Content-Length: 0\r\n\r\n" },
  { framing: "none", lengthBytes: null, ends: "GMT\r\n\r\n" },
  { framing: "close", lengthBytes: null, mustClose: true, ends: "GMT\r\nConnection: close\r\n\r\n" },
] as const)("frames by $framing", ({ ends, ...options }) => expect(head({}, options)).toEndWith(ends));

test.each(["Content-Length", "transfer-encoding", "CONNECTION", "Keep-Alive"])("says %s itself, and once", (name) =>
  expect(head({ headers: [[name, "7"]] })).toBe(head({})),
);

test("leaves the reason empty for a status without one", () => {
  expect(head({ status: 599 })).toStartWith("HTTP/1.1 599 \r\n");
});

describe("refuses to write", () => {
  test.each([
    { status: 100 },
    { status: 199 },
    { status: 600 },
    { status: 200.5 },
    { status: Number.NaN },
    { headers: [["", "x"]] },
    { headers: [["a b", "x"]] },
    { headers: [["a:", "x"]] },
    { headers: [["a\r\nb", "x"]] },
    { headers: [["a", "x\r\ny: z"]] },
    { headers: [["a", "x\n"]] },
    { headers: [["a", "x\r"]] },
    { headers: [["a", "\0"]] },
    { headers: [["a", "\u0100"]] },
    { headers: [["a", "\u{1f600}"]] },
  ] as const)("%j", (changes) => expect(head(changes)).toBeNull());
});
