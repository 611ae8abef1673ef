import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientKeyId } from "../../domain/access/client-key-id.ts";
import { requestId } from "../../domain/ledger/record.ts";
import { epochMs } from "../../kernel/time.ts";
import { beginLine } from "./record-line.ts";
import { openSegment, type SpoolBatch } from "./segment-reader.ts";

const directory = mkdtempSync(join(tmpdir(), "segment-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, "a.spool");

const lineOf = (id: string, model: string | null = null): string =>
  beginLine({
    id: requestId(id),
    startedAtMs: epochMs(1),
    clientKeyId: clientKeyId("k"),
    method: "POST",
    path: "/v1/messages",
    model,
    isStream: false,
    requestBytes: 1,
    accountId: null,
  });

function readAll(content: Uint8Array, isSealed = true): SpoolBatch {
  writeFileSync(path, content);
  const reader = openSegment(path);
  if (reader === null) throw new Error("Cannot read the segment: it is not there");
  const batch = reader.read(0, content.length, isSealed);
  reader.close();
  return batch;
}

const idsOf = (batch: SpoolBatch): string[] => batch.records.map(({ id }) => id);

test("a file cut at any byte gives the records before the cut and nothing else", () => {
  const lines = [lineOf("a"), lineOf("b", "modèle-ü"), lineOf("c")];
  const content = Buffer.from(lines.join(""));
  for (let cut = 0; cut <= content.length; cut += 1) {
    // A record is whole without its line break: the checksum ends it.
    const expected: string[] = [];
    let end = 0;
    for (const [at, line] of lines.entries()) {
      end += Buffer.byteLength(line);
      if (cut >= end - 1) expected.push("abc".charAt(at));
    }
    const batch = readAll(content.subarray(0, cut));
    expect(idsOf(batch)).toEqual(expected);
    expect(batch.endBytes).toBe(cut);
    expect(batch.unreadableLines).toBe(0);
  }
});

test("a growing file is read to its last whole line", () => {
  const content = Buffer.from(lineOf("a") + lineOf("b").slice(0, 30));
  const batch = readAll(content, false);
  expect([idsOf(batch), batch.endBytes, batch.tornBytes]).toEqual([["a"], lineOf("a").length, 0]);
});

test("steps over lines that were damaged and counts them", () => {
  const damaged = Buffer.from(lineOf("a") + lineOf("b") + lineOf("c"));
  const at = lineOf("a").length + 20;
  damaged[at] = (damaged[at] ?? 0) ^ 0x04;
  const batch = readAll(damaged);
  expect([idsOf(batch), batch.unreadableLines]).toEqual([["a", "c"], 1]);
});

test("steps over a mebibyte of garbage in bounded reads", () => {
  writeFileSync(path, Buffer.concat([Buffer.alloc(1024 * 1024, 65), Buffer.from(`\n${lineOf("a")}`)]));
  const size = 1024 * 1024 + 1 + lineOf("a").length;
  const reader = openSegment(path);
  const ids: string[] = [];
  let at = 0;
  let reads = 0;
  while (reader !== null && at < size) {
    const batch = reader.read(at, size, true);
    ids.push(...idsOf(batch));
    at = batch.endBytes;
    reads += 1;
  }
  reader?.close();
  expect([ids, reads]).toEqual([["a"], 5]);
});

test("a file that became shorter than promised ends there", () => {
  writeFileSync(path, lineOf("a"));
  const reader = openSegment(path);
  const batch = reader?.read(0, 10_000, true);
  reader?.close();
  expect([batch?.records.length, batch?.endBytes]).toEqual([1, 10_000]);
});

test("a file that is not there is nothing", () => {
  expect(openSegment(join(directory, "absent.spool"))).toBeNull();
});
