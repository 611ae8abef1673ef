import { expect, test } from "bun:test";
import fc from "fast-check";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { accountId } from "../../domain/account/account.ts";
import { type LedgerBegin, type LedgerSettle, requestId } from "../../domain/ledger/record.ts";
import { durationMs, epochMs } from "../../kernel/time.ts";
import {
  BEGIN_COLUMNS,
  beginLine,
  FIRST_CELL,
  MAX_LINE_BYTES,
  parseLine,
  SETTLE_COLUMNS,
  settleLine,
} from "./record-line.ts";

const begin: LedgerBegin = {
  id: requestId("01a20a13-26df-747a-9241-856331637133"),
  startedAtMs: epochMs(1_763_900_000_000),
  clientKeyId: clientKeyId("abcdefghij"),
  method: "POST",
  path: "/v1/messages",
  model: null,
  isStream: true,
  requestBytes: 75_000,
  accountId: accountId("account-1"),
};

const settle: LedgerSettle = {
  id: begin.id,
  settledAtMs: epochMs(1_763_900_001_000),
  status: 200,
  outcome: "completed",
  accountId: null,
  attempts: 2,
  queueMs: durationMs(0.4),
  firstByteMs: durationMs(12.6),
  totalMs: durationMs(1000),
  responseBytes: 10,
  usage: {
    inputTokens: 1,
    cacheWrite5mTokens: 2,
    cacheWrite1hTokens: null,
    cacheReadTokens: 4,
    outputTokens: 5,
    webSearchRequests: 6,
    webFetchRequests: null,
    serviceTier: "standard",
    isPartial: true,
  },
  upstreamRequestId: "req_1",
  errorType: null,
  decision: null,
  conversation: null,
  costMicroUsd: null,
  thinkingDropped: null,
};

const read = (line: string) => parseLine(line.slice(0, -1));

function columnsOf(line: string, names: readonly string[]): Record<string, unknown> {
  const record = read(line);
  return Object.fromEntries(names.map((name, at) => [name, record?.cells[FIRST_CELL + at]]));
}

test("reads back what a begin holds", () => {
  expect(columnsOf(beginLine(begin), BEGIN_COLUMNS)).toEqual({
    started_at_ms: 1_763_900_000_000,
    client_key_id: "abcdefghij",
    method: "POST",
    path: "/v1/messages",
    model: null,
    is_stream: 1,
    request_bytes: 75_000,
    account_id: "account-1",
  });
});

test("reads back what a settlement holds, in whole milliseconds", () => {
  expect(columnsOf(settleLine(settle), SETTLE_COLUMNS)).toMatchObject({
    outcome: "completed",
    attempts: 2,
    queue_ms: 0,
    first_byte_ms: 13,
    has_usage: 1,
    cache_write_5m_tokens: 2,
    cache_write_1h_tokens: null,
    web_search_requests: 6,
    service_tier: "standard",
    is_usage_partial: 1,
    upstream_request_id: "req_1",
  });
});

test("reads back why, what and how much, and keeps only a hash of the conversation", () => {
  const conversation = "abcdefghij opus 2f0b9c3e-session";
  const line = settleLine({
    ...settle,
    decision: '{"s":"session"}',
    conversation,
    costMicroUsd: 1234,
    thinkingDropped: 2,
  });
  const columns = columnsOf(line, SETTLE_COLUMNS);
  expect(columns).toMatchObject({ decision: '{"s":"session"}', cost_micro_usd: 1234, thinking_dropped: 2 });
  expect(columns["conversation"]).toMatch(/^[0-9a-z]{1,13}$/);
  expect(line).not.toContain("session-");
  expect(line).not.toContain(conversation);
  expect(columnsOf(settleLine({ ...settle, conversation }), SETTLE_COLUMNS)["conversation"]).toBe(
    columns["conversation"],
  );
});

test("leaves out a decision that is over its bound, rather than half of one", () => {
  const decisionOf = (decision: string) => columnsOf(settleLine({ ...settle, decision }), SETTLE_COLUMNS)["decision"];
  expect(decisionOf("x".repeat(2000))).toBe("x".repeat(2000));
  expect(decisionOf("x".repeat(2001))).toBeNull();
});

test("reads a settlement that the release before the decisions spooled", () => {
  // Byte for byte as that release wrote it.
  const line =
    'fe981cc7["s","01a20a13-26df-747a-9241-856331637133",null,1763900001000,200,"completed",2,0,13,1000,10,"req_1",null,1,1,2,null,4,5,6,null,"standard",1]';
  expect(columnsOf(`${line}\n`, SETTLE_COLUMNS)).toEqual({
    ...columnsOf(settleLine(settle), SETTLE_COLUMNS),
    decision: null,
    conversation: null,
    cost_micro_usd: null,
    thinking_dropped: null,
  });
});

test("keeps one line per entry, bounded, whatever clients and upstream spell", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary", minLength: 600, maxLength: 700 }),
      (model, path) => {
        const line = beginLine({ ...begin, model, path });
        expect(line.indexOf("\n")).toBe(line.length - 1);
        expect(Buffer.byteLength(line)).toBeLessThan(MAX_LINE_BYTES);
        expect(read(line)?.kind).toBe("begin");
      },
    ),
  );
});

test("the longest possible entry stays below the bound", () => {
  const worst = "\u0001".repeat(5000);
  const line = settleLine({
    ...settle,
    id: requestId(worst),
    accountId: accountId(worst),
    upstreamRequestId: worst,
    errorType: worst,
    decision: "\u0001".repeat(2000),
    conversation: worst,
    usage: settle.usage === null ? null : { ...settle.usage, serviceTier: worst },
  });
  expect(Buffer.byteLength(line)).toBeLessThan(MAX_LINE_BYTES);
});

test("refuses a line in which any one byte was changed or that was cut", () => {
  const line = settleLine(settle).slice(0, -1);
  for (let at = 0; at < line.length; at += 1) {
    const other = line[at] === "x" ? "y" : "x";
    expect(parseLine(line.slice(0, at) + other + line.slice(at + 1))).toBeNull();
    expect(parseLine(line.slice(0, at))).toBeNull();
  }
});

const sealed = (json: string): string => `${Bun.hash.crc32(json).toString(16).padStart(8, "0")}${json}`;

test.each([
  { name: "an unknown kind", json: '["x","id"]' },
  { name: "no list", json: '{"kind":"b"}' },
  { name: "too few cells", json: '["b","id",1]' },
  { name: "no id", json: '["b","",1,"k","m","p",null,0,1,null]' },
  { name: "a text where a number belongs", json: '["b","id","1","k","m","p",null,0,1,null]' },
  { name: "a fraction", json: '["b","id",1.5,"k","m","p",null,0,1,null]' },
  { name: "null where a value belongs", json: '["b","id",null,"k","m","p",null,0,1,null]' },
  { name: "an object", json: '["b","id",1,"k","m","p",{},0,1,null]' },
  {
    name: "an unknown outcome",
    json: '["s","id",null,1,200,"in_flight",1,0,0,0,0,null,null,0,null,null,null,null,null,null,null,null,0]',
  },
])("refuses a line with the right checksum and $name", ({ json }) => {
  expect(parseLine(sealed(json))).toBeNull();
});
