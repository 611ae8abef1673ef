import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { refusalStatus } from "../../gateway/refusal.ts";
import { type HeadProblem, problemRefusal } from "./head-problem.ts";
import { MORE, newRequestHead, type RequestHead, scanHead } from "./request-head.ts";

const HOST = "Host: a\r\n";

function scan(text: string): { result: number; head: RequestHead } {
  const head = newRequestHead();
  return { result: scanHead(Buffer.from(text, "latin1"), head), head };
}

/** The status that the client gets, or "more", or "ok". */
function verdict(text: string): number | "more" | "ok" {
  const { result } = scan(text);
  if (result === MORE) return "more";
  return result > 0 ? "ok" : refusalStatus(problemRefusal(result as HeadProblem).code);
}

function get(fields: string): string {
  return `GET /v1/models HTTP/1.1\r\n${HOST}${fields}\r\n`;
}

function post(fields: string): string {
  return `POST /v1/messages HTTP/1.1\r\n${HOST}${fields}\r\n`;
}

const FULL = `POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost:8080\r\nX-Api-Key:  bccf_1 \r\nContent-Length: 12\r\nConnection: keep-alive, Close\r\nExpect: 100-Continue\r\nX-Empty:\r\nx-twice: 1\r\nX-Twice: \t2\r\n\r\n`;

test("reads a whole head and stops behind its last line", () => {
  const { result, head } = scan(`${FULL}{"model":"m"}`);
  expect(result).toBe(FULL.length);
  expect(head.method).toBe("POST");
  expect(FULL.slice(head.targetStart, head.targetEnd)).toBe("/v1/messages?beta=true");
  expect(head.isVersion10).toBe(false);
  expect(head.control).toMatchObject({
    contentLength: 12,
    isChunked: false,
    expectsContinue: true,
    asksToClose: true,
  });
  const fields: string[] = [];
  for (let at = 0; at < head.spans.length; at += 4) {
    const [nameStart, nameEnd, valueStart, valueEnd] = head.spans.slice(at, at + 4);
    fields.push(`${FULL.slice(nameStart, nameEnd)}=${FULL.slice(valueStart, valueEnd)}`);
  }
  expect(fields).toEqual([
    "Host=localhost:8080",
    "X-Api-Key=bccf_1",
    "Content-Length=12",
    "Connection=keep-alive, Close",
    "Expect=100-Continue",
    "X-Empty=",
    "x-twice=1",
    "X-Twice=2",
  ]);
});

test("forgets the head before", () => {
  const head = newRequestHead();
  scanHead(Buffer.from(FULL), head);
  scanHead(Buffer.from("GET / HTTP/1.0\r\n\r\n"), head);
  expect(head).toMatchObject({ method: "GET", isVersion10: true, spans: [] });
  expect(head.control).toEqual({
    seen: 0,
    contentLength: -1,
    isChunked: false,
    expectsContinue: false,
    asksToClose: false,
  });
});

describe("accepts", () => {
  test.each([
    get(""),
    get("Content-Length: 0\r\n"),
    get("X-Byte: \x80\xff\r\n"),
    get("X-Tab: a\tb\r\n"),
    get("Connection: close\r\nConnection: x\r\n"),
    get(`Cookie: ${";=,\"'()<>@".repeat(40)}\r\n`),
    get("X_Custom: underscores stand in names that mean nothing here\r\n"),
    get("Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"),
    "GET / HTTP/1.0\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: better_ccflare:80\r\n\r\n",
    // What a path means is the router's question (gateway/route.ts).
    `GET //../%2e%2f?q=/../ HTTP/1.1\r\n${HOST}\r\n`,
    post("Transfer-Encoding: chunked\r\n"),
    post("Transfer-Encoding: Chunked\r\n"),
    post("Content-Length: 9007199254740991\r\n"),
    `DELETE /v1/files/1 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n`,
    `OPTIONS /v1 HTTP/1.1\r\n${HOST}\r\n`,
    `PUT /v1 HTTP/1.1\r\n${HOST}\r\n`,
    `PATCH /v1 HTTP/1.1\r\n${HOST}\r\n`,
    get("X: y\r\n".repeat(99)),
    `GET /${"a".repeat(8_191)} HTTP/1.1\r\n${HOST}\r\n`,
    get(`X: ${"y".repeat(16_384 - get("X: \r\n").length)}\r\n`),
  ])("%#: %j", (text) => expect(verdict(text)).toBe("ok"));
});

/** The list T-13.03 of security.md, and what deps.md found that other servers accept. */
const REFUSED: readonly (readonly [status: number, name: string, text: string])[] = [
  [400, "empty method", " / HTTP/1.1\r\n"],
  [400, "unknown method", `BREW / HTTP/1.1\r\n${HOST}\r\n`],
  [400, "lower-case method", `get / HTTP/1.1\r\n${HOST}\r\n`],
  [400, "TRACE", `TRACE / HTTP/1.1\r\n${HOST}\r\n`],
  [400, "CONNECT", `CONNECT a:443 HTTP/1.1\r\n${HOST}\r\n`],
  [400, "8 KiB method", `${"A".repeat(8_192)} / HTTP/1.1\r\n`],
  [400, "method with a control character", "GE\0T / HTTP/1.1\r\n"],
  [400, "leading CRLF", `\r\n${get("")}`],
  [400, "a hundred leading CRLF", "\r\n".repeat(100) + get("")],
  [400, "leading blank", ` ${get("")}`],
  [400, "TLS hello", "\x16\x03\x01\x02\0\x01\0"],
  [400, "HTTP/0.9", "GET /\r\n"],
  [400, "HTTP/0.9, bare LF", "GET /\n"],
  [400, "two blanks before the target", `GET  / HTTP/1.1\r\n${HOST}\r\n`],
  [400, "two blanks behind the target", `GET /  HTTP/1.1\r\n${HOST}\r\n`],
  [400, "tab for a blank", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`],
  [400, "blank behind the version", `GET / HTTP/1.1 \r\n${HOST}\r\n`],
  [400, "absolute-form", `GET http://b/ HTTP/1.1\r\n${HOST}\r\n`],
  [400, "authority-form", `GET a:80 HTTP/1.1\r\n${HOST}\r\n`],
  [400, "asterisk", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
  [400, "asterisk GET", `GET * HTTP/1.1\r\n${HOST}\r\n`],
  [400, "relative target", `GET v1 HTTP/1.1\r\n${HOST}\r\n`],
  [400, "fragment", `GET /a#b HTTP/1.1\r\n${HOST}\r\n`],
  [400, "backslash", `GET /a\\b HTTP/1.1\r\n${HOST}\r\n`],
  [400, "raw bytes in the target", `GET /\x80\xff HTTP/1.1\r\n${HOST}\r\n`],
  [400, "overlong UTF-8 in the target", `GET /\xc0\xaf HTTP/1.1\r\n${HOST}\r\n`],
  [400, "NUL in the target", `GET /\0 HTTP/1.1\r\n${HOST}\r\n`],
  [400, "DEL in the target", `GET /\x7f HTTP/1.1\r\n${HOST}\r\n`],
  [400, "bare CR in the request line", `GET /\rX HTTP/1.1\r\n${HOST}\r\n`],
  [414, "long target", `GET /${"a".repeat(8_192)} HTTP/1.1\r\n${HOST}\r\n`],
  [414, "long unfinished target", `GET /${"a".repeat(20_000)}`],
  [505, "HTTP/2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`],
  [505, "HTTP/1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`],
  [505, "HTTP/0.9 said", `GET / HTTP/0.9\r\n${HOST}\r\n`],
  [400, "h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  [400, "HTTP/1.01", `GET / HTTP/1.01\r\n${HOST}\r\n`],
  [400, "HTTP/01.1", `GET / HTTP/01.1\r\n${HOST}\r\n`],
  [400, "lower-case version", `GET / http/1.1\r\n${HOST}\r\n`],
  [400, "other protocol", `GET / HTCPCP/1.1\r\n${HOST}\r\n`],
  [400, "HTTP/2", `GET / HTTP/2\r\n${HOST}\r\n`],
  [400, "bare LF behind the request line", `GET / HTTP/1.1\n${HOST}\r\n`],
  [400, "bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"],
  [400, "bare LF behind a name", "GET / HTTP/1.1\r\nHost\n: a\r\n\r\n"],
  [400, "bare LF as the last line", `GET / HTTP/1.1\r\n${HOST}\n`],
  [400, "bare CR behind a field", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"],
  [400, "two CR", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"],
  [400, "CR as the last line", `GET / HTTP/1.1\r\n${HOST}\rX`],
  [400, "obs-fold", get("X: y\r\n z\r\n")],
  [400, "obs-fold by tab", get("X: y\r\n\tz\r\n")],
  [400, "fold before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
  [400, "space before colon", get("X : y\r\n")],
  [400, "tab before colon", get("X\t: y\r\n")],
  [400, "Content-Length with space before colon", post("Content-Length : 3\r\n")],
  [400, "empty name", get(": y\r\n")],
  [400, "no colon", get("X\r\n")],
  [400, "name with a blank", get("X Y: z\r\n")],
  [400, "name with obs-text", get("X\xe9: y\r\n")],
  [400, "name with a parenthesis", get("X(: y\r\n")],
  [400, "NUL in a value", get("X: \0\r\n")],
  [400, "VT in a value", get("X: \v\r\n")],
  [400, "DEL in a value", get("X: \x7f\r\n")],
  [400, "ESC in a value", get("X: \x1b[0m\r\n")],
  [400, "no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"],
  [400, "two Hosts", get("Host: b\r\n")],
  [400, "two Hosts under HTTP/1.0", `GET / HTTP/1.0\r\n${HOST}${HOST}\r\n`],
  ...[
    "",
    "a:",
    "a,b",
    "u@a",
    "a/b",
    "a b",
    "a:b",
    "a:123456",
    "[::1",
    "::1",
    "[]",
    "a\xe9",
    "http://a",
    "a?b",
    ":80",
    "[::1]x",
  ].map((host) => [400, `Host ${host}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`] as const),
  ...[
    "",
    "3,3",
    "+3",
    "-1",
    "0x3",
    "003",
    "3 3",
    "3.0",
    "1e3",
    "3;",
    "9007199254740992",
    "99999999999999999999",
    "\xb2",
  ].map((length) => [400, `Content-Length ${length}`, post(`Content-Length: ${length}\r\n`)] as const),
  [400, "two equal Content-Lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n")],
  [400, "two Content-Lengths", post("Content-Length: 3\r\ncontent-length: 4\r\n")],
  [400, "CL and TE", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")],
  [400, "TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")],
  ...[
    "",
    "xchunked",
    "gzip",
    "gzip, chunked",
    "chunked, identity",
    "chunked,",
    ",chunked",
    "chunked;q=1",
    '"chunked"',
    "chunked\v",
    "chunked\f",
    "chunked\0",
    "chun\x80ked",
    "identity",
  ].map((coding) => [400, `TE ${JSON.stringify(coding)}`, post(`Transfer-Encoding: ${coding}\r\n`)] as const),
  [400, "two TE", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")],
  [400, "TE under HTTP/1.0", `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`],
  [400, "body on GET", get("Content-Length: 3\r\n")],
  [400, "chunked GET", get("Transfer-Encoding: chunked\r\n")],
  [400, "body on HEAD", `HEAD / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n`],
  [400, "body on OPTIONS", `OPTIONS / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n`],
  [400, "h2c upgrade", get("Connection: Upgrade\r\nUpgrade: h2c\r\n")],
  [400, "WebSocket upgrade", get("Connection: Upgrade\r\nUpgrade: websocket\r\n")],
  [417, "Expect 200-ok", post("Expect: 200-ok\r\n")],
  [417, "Expect with more", post("Expect: y 100-continue\r\n")],
  [417, "Expect in a list", post("Expect: 100-continue, x\r\n")],
  [417, "empty Expect", post("Expect:\r\n")],
  [417, "two Expects", post("Expect: 100-continue\r\nExpect: 100-continue\r\n")],
  ...["Authorization", "x-api-key", "Content-Type", "Content-Encoding", "anthropic-version"].flatMap((name) => [
    [400, `two ${name}`, post(`${name}: a\r\n${name.toUpperCase()}: a\r\n`)] as const,
    [400, `${name} with obs-text`, post(`${name}: \xe9\r\n`)] as const,
  ]),
  ...["x_api_key", "X_Api-Key", "content_type", "anthropic_version", "Content_Encoding"].map(
    (name) => [400, name, post(`${name}: a\r\n`)] as const,
  ),
  [400, "Content_Length", post("Content_Length: 3\r\n")],
  [400, "Transfer_Encoding", post("Transfer_Encoding: chunked\r\n")],
  [400, "__proto__", get("__proto__: x\r\n")],
  [400, "constructor", get("constructor: x\r\n")],
  [431, "101 fields", get("X: y\r\n".repeat(100))],
  [431, "framing behind 2,100 fields", post(`${"X: y\r\n".repeat(2_100)}Content-Length: 3\r\n`)],
  [431, "one byte too many", get(`X: ${"y".repeat(16_385 - get("X: \r\n").length)}\r\n`)],
  [431, "endless value", get(`X: ${"y".repeat(100_000)}`)],
  [431, "endless name", get("y".repeat(100_000))],
];

describe("refuses", () => {
  test.each(REFUSED)("with %i: %s", (status, _name, text) => expect(verdict(text)).toBe(status));
});

test("waits for the rest of every proper beginning of a good head", () => {
  for (let length = 0; length < FULL.length; length += 1) expect(verdict(FULL.slice(0, length))).toBe("more");
});

test("gives the same answer at whatever byte the reading stops, and refuses no later than with all bytes", () => {
  for (const [, , text] of REFUSED.filter(([, , text]) => text.length < 2_000)) {
    const whole = scan(text).result;
    for (let length = 0; length < text.length; length += 1) {
      const part = scan(text.slice(0, length)).result;
      if (part !== MORE) expect(part).toBe(whole);
    }
  }
});

const PIECES = [
  ...["GET ", "POST ", "/", "/v1", "?a=b", " ", "HTTP/1.1", "HTTP/1.0", "\r\n", "\r", "\n", "\0", "\t", ":", ": "],
  ...["Host", "Content-Length", "Transfer-Encoding", "chunked", "3", "a", "_", "-", "\xe9", "Expect", "100-continue"],
];

test("never throws, never reads on behind a complete head, and gives the same answer for every cut", () => {
  const text = fc.oneof(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((pieces) => pieces.join("")),
    fc.array(fc.tuple(fc.nat(FULL.length - 1), fc.nat(255)), { maxLength: 4 }).map((mutations) => {
      const bytes = Buffer.from(FULL);
      for (const [at, byte] of mutations) bytes[at] = byte;
      return bytes.toString("latin1");
    }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  );
  fc.assert(
    fc.property(text, fc.nat(300), fc.string({ maxLength: 20 }), (whole, cut, behind) => {
      const { result } = scan(whole);
      const part = scan(whole.slice(0, cut)).result;
      if (part !== MORE) expect(part).toBe(result);
      if (result !== MORE) expect(scan(whole + behind).result).toBe(result);
      expect(result).toBeLessThanOrEqual(whole.length);
    }),
    { numRuns: 5_000 },
  );
});
