import { describe, expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";
import { chainHash, EMPTY_HEAD } from "./chain.ts";
import { checkpointStatement, signedBytes } from "./checkpoint.ts";
import { type AuditLine, formatLine, hexOf, parseLine } from "./line.ts";
import { createAuditVerifier } from "./verifier.ts";

const LOG_ID = "log-1";

function createSigner() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return { publicKey: raw, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) };
}

type Signer = ReturnType<typeof createSigner>;

const entryOf = (seq: number, code = "KEY001I") => canonicalJson({ code, seq, v: 1 });

/** A log as the gateway writes it, with a checkpoint after each `every` entries, which are taken as they are. */
function writeLog(entries: readonly string[], signer: Signer, { logId = LOG_ID, every = 3 } = {}): AuditLine[] {
  const lines: AuditLine[] = [{ type: "log", logId, publicKey: signer.publicKey }];
  let head = EMPTY_HEAD;
  let previous: string | null = null;
  for (const [at, entry] of entries.entries()) {
    head = chainHash(entry, head);
    lines.push({ type: "entry", entry, hash: head });
    if ((at + 1) % every !== 0) continue;
    const fields = { logId, seq: at + 1, hash: hexOf(head), at: "2026-11-24T00:00:00.000Z", previous };
    const statement = checkpointStatement(fields);
    const signature = signer.sign(signedBytes(statement));
    previous = hexOf(signature);
    lines.push({ type: "checkpoint", statement, signature });
  }
  return lines;
}

function verify(lines: readonly AuditLine[], publicKey: Uint8Array) {
  const verifier = createAuditVerifier({ publicKey });
  for (const line of lines) {
    const problem = verifier.line(formatLine(line));
    if (problem !== null) return problem;
  }
  return verifier.end() ?? verifier.verdict();
}

const SEQS = [1, 2, 3, 4, 5, 6, 7];
const signer = createSigner();
const good = writeLog(
  SEQS.map((seq) => entryOf(seq)),
  signer,
);
/** Where an entry is in `good`, by its number: checkpoints stand behind 3 and 6. */
const indexOf = (seq: number) => good.findIndex((line) => line.type === "entry" && line.entry === entryOf(seq));

describe("a log", () => {
  test("that nobody touched is intact, and says how far it is signed", () => {
    expect(verify(good, signer.publicKey)).toEqual({
      logId: LOG_ID,
      entries: 7,
      head: hexOf(good.at(-1)?.type === "entry" ? (good.at(-1) as { hash: Uint8Array }).hash : EMPTY_HEAD),
      checkpoints: 2,
      prunedSeq: 0,
      signedSeq: 6,
      tornLines: 0,
    });
  });

  test("T-22.02 an edited entry is found at its number", () => {
    for (const seq of SEQS) {
      const lines = good.with(indexOf(seq), { type: "entry", entry: entryOf(seq, "KEY002I"), hash: hashAt(seq) });
      expect(verify(lines, signer.publicKey)).toMatchObject({ seq, what: expect.stringContaining("hash") });
    }
  });

  test("T-22.02 T-22.03 a deleted, doubled or swapped entry is found at the first number at fault", () => {
    for (const seq of SEQS.slice(0, -1)) {
      expect(verify(good.toSpliced(indexOf(seq), 1), signer.publicKey)).toMatchObject({ seq });
      const line = good[indexOf(seq)];
      if (line === undefined) throw new Error("no line");
      expect(verify(good.toSpliced(indexOf(seq), 0, line), signer.publicKey)).toMatchObject({ seq: seq + 1 });
    }
    const [second, third] = [good[indexOf(2)], good[indexOf(3)]];
    if (second === undefined || third === undefined) throw new Error("no line");
    expect(verify(good.with(indexOf(2), third).with(indexOf(3), second), signer.publicKey)).toMatchObject({ seq: 2 });
  });

  test("T-22.02 an inserted entry with the right number is found by the one behind it", () => {
    const forged: AuditLine = {
      type: "entry",
      entry: entryOf(2, "ACC004I"),
      hash: chainHash(entryOf(2, "ACC004I"), hashAt(1)),
    };
    expect(verify(good.with(indexOf(2), forged), signer.publicKey)).toMatchObject({ seq: 3 });
  });

  test("T-22.02 a chain that was hashed anew as a whole does not fit its checkpoints", () => {
    const forged = writeLog(
      SEQS.map((seq) => entryOf(seq, seq === 2 ? "ACC004I" : "KEY001I")),
      signer,
    );
    const entriesAnew = good.map((line, at) => (line.type === "entry" ? (forged[at] ?? line) : line));
    expect(verify(entriesAnew, signer.publicKey)).toMatchObject({ seq: 3, what: expect.stringContaining("signed") });
  });

  test("T-22.02 a checkpoint that was taken out is missed by the next one", () => {
    const first = good.findIndex(({ type }) => type === "checkpoint");
    expect(verify(good.toSpliced(first, 1), signer.publicKey)).toMatchObject({ seq: 6 });
  });

  test("T-22.02 without its checkpoints a long log is refused", () => {
    const entries = writeLog(
      Array.from({ length: 2001 }, (_, at) => entryOf(at + 1)),
      signer,
    ).filter(({ type }) => type !== "checkpoint");
    expect(verify(entries, signer.publicKey)).toMatchObject({ seq: 1, what: expect.stringContaining("no checkpoint") });
  });

  test("T-22.04 T-22.20 another key, and another log under the same key, are refused", () => {
    const other = createSigner();
    expect(verify(good, other.publicKey)).toMatchObject({ what: expect.stringContaining("public key") });
    const headless = good.slice(1);
    expect(verify(headless, other.publicKey)).toMatchObject({ seq: 3, what: expect.stringContaining("not signed") });
    const mixed = good.with(
      0,
      writeLog([], signer, { logId: "log-2" })[0] ?? { type: "log", logId: "log-2", publicKey: signer.publicKey },
    );
    expect(verify(mixed, signer.publicKey)).toMatchObject({ seq: 4, what: expect.stringContaining("id of the log") });
  });

  test("a line that is none is refused, and passed over where a kill may have cut it", () => {
    const whole = good.map(formatLine);
    const torn = whole.toSpliced(3, 0, (whole[3] ?? "").slice(0, 20));
    const strict = createAuditVerifier({ publicKey: signer.publicKey });
    const found = torn.map((text) => strict.line(text)).find((problem) => problem !== null);
    expect(found).toMatchObject({ seq: 3, what: expect.stringContaining("not a line") });
    const lenient = createAuditVerifier({ publicKey: signer.publicKey, mayTear: true });
    expect(torn.map((text) => lenient.line(text)).every((problem) => problem === null)).toBeTrue();
    expect(lenient.verdict()).toMatchObject({ entries: 7, tornLines: 1 });
  });
});

test("T-22.12 a million entries take less than a minute: 50,000 less than 3 s", () => {
  const lines = writeLog(
    Array.from({ length: 50_000 }, (_, at) => entryOf(at + 1)),
    signer,
    { every: 1000 },
  );
  const texts = lines.map(formatLine);
  const verifier = createAuditVerifier({ publicKey: signer.publicKey });
  const startMs = performance.now();
  for (const text of texts) verifier.line(text);
  expect(performance.now() - startMs).toBeLessThan(3_000);
  expect(verifier.verdict()).toMatchObject({ entries: 50_000, checkpoints: 50 });
}, 20_000);

test("RFC 8785: keys in order, one spelling of numbers and strings", () => {
  expect(canonicalJson({ b: 1e21, a: ["\u20ac\n\u000f", 0.1, -0], "\u00e9": null, B: true })).toBe(
    '{"B":true,"a":["\u20ac\\n\\u000f",0.1,0],"b":1e+21,"\u00e9":null}',
  );
  expect(canonicalJson("\ud800")).toBe('"\ufffd"');
  expect(() => canonicalJson(Number.NaN)).toThrow(RangeError);
});

test("only what formatLine writes is a line", () => {
  for (const line of good) expect(parseLine(formatLine(line))).toEqual(line);
  for (const text of [
    "",
    "{}",
    "[]",
    "null",
    '{"type":"entry","entry":"{}","hash":"xy"}',
    '{"type":"entry","entry":1}',
  ]) {
    expect(parseLine(text)).toBeNull();
  }
});

function hashAt(seq: number): Uint8Array {
  const line = good[indexOf(seq)];
  if (line?.type !== "entry") throw new Error(`no entry ${seq}`);
  return line.hash;
}
