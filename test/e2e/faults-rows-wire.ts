import type { CutKind, Step } from "../../sim/step.ts";
import { type FaultRow, FIGURES, READY, refused, served, servedStream, UNREACHABLE } from "./faults-row.ts";

function raw(bytes: string | readonly string[], end: CutKind | "keepOpen" = "keepOpen"): Step {
  return { kind: "raw", bytes, end };
}

const JSON_BODY = '{"type":"message","smuggled":true}';
const LENGTH = `Content-Length: ${JSON_BODY.length}`;
const WHOLE = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${LENGTH}\r\n\r\n${JSON_BODY}`;

/** Nothing of it is believed: one attempt, then the next account. */
function malformed(what: string, bytes: string): readonly FaultRow[] {
  return [
    {
      name: `${what}, one account`,
      accounts: [{ steps: [raw(bytes)] }],
      asks: [refused(502, UNREACHABLE, { attempts: 1 }), served()],
    },
    {
      name: `${what}, two accounts`,
      accounts: [{ steps: [raw(bytes)] }, { steps: [] }],
      asks: [served({ by: 1, attempts: 2 }), served()],
    },
  ];
}

function redirect(status: number): FaultRow {
  return {
    name: `${status} with a location`,
    accounts: [{ steps: [{ kind: "status", status, headers: { location: "http://127.0.0.1:1/v1/messages" } }] }],
    asks: [refused(502, UNREACHABLE, { attempts: 1 })],
  };
}

/** Connections that fail, and bytes that are not HTTP. */
export const WIRE_ROWS: readonly FaultRow[] = [
  {
    name: "FIN before any byte, once",
    accounts: [{ steps: [{ kind: "refuse" }] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "RST before any byte, once",
    accounts: [{ steps: [{ kind: "reset" }] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "RST before any byte on every attempt, one account",
    accounts: [{ steps: [{ kind: "reset" }, { kind: "reset" }] }],
    asks: [refused(502, UNREACHABLE, { attempts: 2 })],
  },
  {
    name: "RST before any byte twice, two accounts",
    accounts: [{ steps: [{ kind: "reset" }, { kind: "reset" }] }, { steps: [] }],
    asks: [servedStream({ by: 1, attempts: 3 })],
  },
  {
    name: "RST in the middle of the headers, once",
    accounts: [{ steps: [raw("HTTP/1.1 200 OK\r\ncontent-ty", "reset")] }],
    asks: [served({ attempts: 2 })],
  },
  {
    name: "connection refused, one account",
    accounts: [{ steps: [], upstream: "nobody" }],
    asks: [refused(502, UNREACHABLE, { attempts: 2 })],
  },
  {
    name: "connection refused, two accounts",
    accounts: [{ steps: [], upstream: "nobody" }, { steps: [] }],
    asks: [served({ by: 1, attempts: 3 })],
  },
  ...[301, 302, 307, 308].map(redirect),
  {
    name: "307 with a location, two accounts",
    accounts: [{ steps: [{ kind: "status", status: 307, headers: { location: "/v1/other" } }] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 })],
  },
  ...malformed("two Content-Lengths that differ", WHOLE.replace(LENGTH, `${LENGTH}\r\nContent-Length: 3`)),
  ...malformed(
    "Content-Length and Transfer-Encoding",
    WHOLE.replace(LENGTH, `${LENGTH}\r\nTransfer-Encoding: chunked`),
  ),
  ...malformed("a Content-Length that is no number", WHOLE.replace(LENGTH, "Content-Length: 0x22")),
  ...malformed(
    "a chunk size that is no number",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n${JSON_BODY}`,
  ),
  ...malformed("101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
  ...malformed("status 999", WHOLE.replace("200 OK", "999 Odd")),
  ...malformed("status 099", WHOLE.replace("200 OK", "099 Odd")),
  ...malformed("eleven interim answers", `${"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(11)}${WHOLE}`),
  ...malformed("a header line without a colon", WHOLE.replace("content-type:", "content-type")),
  ...malformed("a folded header line", WHOLE.replace("content-type: ", "content-type:\r\n ")),
  ...malformed("a bare CR in a header", WHOLE.replace("application/json", "application\rjson")),
  ...malformed("bytes that are no HTTP", "SSH-2.0-OpenSSH_9.9\r\n"),
  ...malformed("a head of 200 KB", WHOLE.replace("content-type", `x-fill: ${"f".repeat(200_000)}\r\ncontent-type`)),
  {
    name: "three interim answers before the real one",
    accounts: [{ steps: [{ kind: "message", ...FIGURES, informational: [100, 103, 103] }] }],
    asks: [served()],
  },
  {
    name: "a second answer behind the first",
    accounts: [
      {
        steps: [
          raw(
            `${WHOLE.replace("true", "null")}HTTP/1.1 200 OK\r\n${LENGTH}\r\n\r\n${JSON_BODY.replace("true", "1234")}`,
          ),
        ],
      },
    ],
    // The second one must never answer somebody else.
    asks: [
      {
        client: { status: 200, words: "upstream", attempts: 1, end: "whole" },
        ledger: { outcome: "completed", status: 200, attempts: 1, account: 0, errorType: null, usage: "none" },
      },
      served(),
      served(),
    ],
  },
  {
    name: "a second answer a moment after the first",
    accounts: [
      {
        steps: [
          {
            kind: "raw",
            bytes: [WHOLE, `HTTP/1.1 200 OK\r\n${LENGTH}\r\n\r\n${JSON_BODY}`],
            partDelayMs: 20,
            end: "keepOpen",
          },
        ],
      },
    ],
    asks: [
      {
        client: { status: 200, words: "upstream", attempts: 1, end: "whole" },
        ledger: { outcome: "completed", status: 200, attempts: 1, account: 0, errorType: null, usage: "none" },
      },
      served(),
      served(),
    ],
    after: [READY],
  },
];
