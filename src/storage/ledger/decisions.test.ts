/** What migration 0002 added to the ledger, from the spool to the reader. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { accountId } from "../../domain/account/account.ts";
import { type LedgerSettle, type RequestId, requestId } from "../../domain/ledger/record.ts";
import { durationMs, type EpochMs, epochMs } from "../../kernel/time.ts";
import { openStorage } from "../storage.ts";
import { openLedger } from "./ledger.ts";

const root = mkdtempSync(join(tmpdir(), "ledger-decisions-"));
afterAll(() => rmSync(root, { recursive: true }));

const START = epochMs(1_763_900_000_000);

function idAt(instantMs: number, tail: number): RequestId {
  const time = instantMs.toString(16).padStart(12, "0");
  return requestId(`${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(tail).padStart(12, "0")}`);
}

function settleOf(id: RequestId, changes: Partial<LedgerSettle> = {}): LedgerSettle {
  return {
    id,
    settledAtMs: START,
    status: 200,
    outcome: "completed",
    accountId: accountId("account-1"),
    attempts: 1,
    queueMs: durationMs(0),
    firstByteMs: durationMs(120),
    totalMs: durationMs(900),
    responseBytes: 4096,
    usage: null,
    upstreamRequestId: null,
    errorType: null,
    decision: null,
    conversation: null,
    costMicroUsd: null,
    thinkingDropped: null,
    ...changes,
  };
}

async function open(dataDir = mkdtempSync(join(root, "d-"))) {
  const storage = await openStorage({ dataDir });
  const ledger = await openLedger({ dataDir, now: () => epochMs(Date.now()), onEvent: () => undefined });
  const record = (id: RequestId, startedAtMs: EpochMs, settle: Partial<LedgerSettle> | null = {}) => {
    const request = {
      method: "POST",
      path: "/v1/messages",
      model: "claude-opus-4-8",
      isStream: true,
      requestBytes: 10,
    };
    ledger.begin({ id, startedAtMs, clientKeyId: clientKeyId("abcdefghij"), accountId: null, ...request });
    if (settle !== null) ledger.settle(settleOf(id, settle));
  };
  const close = async () => {
    await ledger.stop();
    await storage.close();
  };
  return { storage, ledger, record, close };
}

test("a settled request keeps its reasons, its cost and the thinking that it lost", async () => {
  const { storage, ledger, record, close } = await open();
  const id = idAt(START, 1);
  record(id, START, { decision: '{"v":1}', costMicroUsd: 70_123, thinkingDropped: 4 });
  expect(await ledger.flush(5_000)).toBeTrue();
  expect(await storage.requests.explained(id)).toMatchObject({
    decision: '{"v":1}',
    row: { id, costMicroUsd: 70_123, thinkingDropped: 4 },
  });
  expect(await storage.requests.newest(1)).toMatchObject([{ id, costMicroUsd: 70_123 }]);
  expect(await storage.requests.explained(requestId("ghost"))).toBeNull();
  await close();
});

test("a settlement that comes later, or without its begin, brings its reasons too", async () => {
  const { storage, ledger, record, close } = await open();
  const [late, orphan] = [idAt(START, 1), idAt(START, 2)];
  record(late, START, null);
  expect(await ledger.flush(5_000)).toBeTrue();
  ledger.settle(settleOf(late, { decision: "late" }));
  ledger.settle(settleOf(orphan, { decision: "orphan", conversation: "c" }));
  expect(await ledger.flush(5_000)).toBeTrue();
  expect((await storage.requests.explained(late))?.decision).toBe("late");
  expect((await storage.requests.explained(orphan))?.decision).toBe("orphan");
  await close();
});

test("the trace gives ended requests page by page, oldest first, those of one conversation marked alike", async () => {
  const { storage, ledger, record, close } = await open();
  const at = (minute: number) => epochMs(START + minute * 60_000);
  record(idAt(at(-10), 0), at(-10));
  record(idAt(at(3), 3), at(3), { conversation: "abcdefghij opus s-1" });
  record(idAt(at(1), 1), at(1), { conversation: "abcdefghij opus s-1" });
  record(idAt(at(2), 2), at(2), { conversation: "abcdefghij opus s-2", outcome: "refused" });
  record(idAt(at(4), 4), at(4), null);
  expect(await ledger.flush(5_000)).toBeTrue();

  const first = await storage.requests.trace({ sinceMs: START, afterId: null, limit: 2 });
  expect(first.map(({ row }) => row.id)).toEqual([idAt(at(1), 1), idAt(at(2), 2)]);
  const last = await storage.requests.trace({ sinceMs: START, afterId: idAt(at(2), 2), limit: 2 });
  expect(last.map(({ row }) => row.id)).toEqual([idAt(at(3), 3)]);
  const [one, two, three] = [...first, ...last].map(({ conversation }) => conversation);
  expect(one).toBeString();
  expect(three).toBe(one ?? "");
  expect(two).not.toBe(one ?? "");
  await close();
});

test("a spool that the release before left is carried into the database", async () => {
  const dataDir = mkdtempSync(join(root, "d-"));
  mkdirSync(join(dataDir, "spool"), { mode: 0o700 });
  // Byte for byte as that release wrote it; it died before it could hand it over.
  const line =
    'fe981cc7["s","01a20a13-26df-747a-9241-856331637133",null,1763900001000,200,"completed",2,0,13,1000,10,"req_1",null,1,1,2,null,4,5,6,null,"standard",1]';
  writeFileSync(join(dataDir, "spool", "00000000000001-old.spool"), `${line}\n`, { mode: 0o600 });
  const { storage, ledger, close } = await open(dataDir);
  expect(await ledger.flush(5_000)).toBeTrue();
  const id = requestId("01a20a13-26df-747a-9241-856331637133");
  expect(await storage.requests.explained(id)).toMatchObject({
    decision: null,
    row: { outcome: "completed", status: 200, attempts: 2, costMicroUsd: null, usage: { inputTokens: 1 } },
  });
  await close();
});
