import { createReadStream, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Kysely } from "kysely";
import { formatLine, hexOf, parseLine, parseObject } from "./audit/line.ts";
import { type AuditProblem, type AuditVerdict, createAuditVerifier } from "./audit/verifier.ts";
import { AUDIT_FILE_NAME } from "./audit-file-sink.ts";
import { PUBLIC_KEY_NAME } from "./audit-keeper.ts";
import type { AuditVerification, AuditVerifyOrder } from "./cli/cli-io.ts";
import { createAuditLogStore, LOG_START } from "./storage/audit/audit-log-store.ts";
import type { Schema } from "./storage/schema.ts";
import { bunSqliteDialect } from "./storage/sqlite/bun-sqlite-dialect.ts";
import { openDatabase } from "./storage/sqlite/open-database.ts";

type Lines = AsyncIterable<string>;
type Outcome = { readonly problem: AuditProblem | null; readonly verdict: AuditVerdict };

const LINES_PER_PAGE = 1000;
const PUBLIC_KEY_HEX = /^[0-9a-f]{64}$/u;

/**
 * Verifies an export, or the database and the second sink of a data directory against each other. Needs no running
 * gateway, no master key and no network.
 * @throws Error when a file cannot be read.
 */
export async function verifyAudit(
  dataDir: string,
  { file, publicKeyFile }: AuditVerifyOrder,
): Promise<AuditVerification> {
  const publicKey = readPublicKey(publicKeyFile ?? join(dataDir, PUBLIC_KEY_NAME));
  if (file !== null) return report(await verifyLines(linesOf(file, lstatSync(file).size), { publicKey }), publicKey);
  return report(await verifyDataDirectory(dataDir, publicKey), publicKey);
}

async function verifyDataDirectory(dataDir: string, publicKey: Uint8Array): Promise<Outcome> {
  const sinkPath = join(dataDir, AUDIT_FILE_NAME);
  // First the size of the file: what the gateway adds meanwhile is in the database before it is in the file.
  const sinkSize = lstatSync(sinkPath, { throwIfNoEntry: false })?.size ?? 0;
  const sink = sinkSize === 0 ? emptyLines() : linesOf(sinkPath, sinkSize);
  const database = openDatabase(join(dataDir, "gateway.db"), "read");
  try {
    const outcome = await verifyLines(linesOfDatabase(database), { publicKey, beside: entryHashes(sink) });
    if (outcome.problem !== null || sinkSize === 0) return withoutSink(outcome, sinkSize);
    // The chain of the file was followed by its hashes alone; its signatures are looked at here.
    const second = await verifyLines(linesOf(sinkPath, sinkSize), { publicKey, mayTear: true });
    const problem =
      second.problem === null ? null : { ...second.problem, what: `${AUDIT_FILE_NAME}: ${second.problem.what}` };
    return { ...outcome, problem };
  } finally {
    database.close();
  }
}

function withoutSink(outcome: Outcome, sinkSize: number): Outcome {
  if (outcome.problem !== null || sinkSize > 0 || outcome.verdict.entries === 0) return outcome;
  return { ...outcome, problem: { seq: 1, what: `${AUDIT_FILE_NAME}, the second sink, is missing or empty` } };
}

type LineOptions = {
  readonly publicKey: Uint8Array;
  readonly mayTear?: boolean;
  /** Hashes of the same entries from the second sink, oldest first. */
  readonly beside?: Beside;
};

async function verifyLines(lines: Lines, { publicKey, mayTear = false, beside }: LineOptions): Promise<Outcome> {
  const verifier = createAuditVerifier({ publicKey, mayTear });
  for await (const text of lines) {
    const problem = verifier.line(text) ?? (await compare(text, verifier.verdict().entries, beside));
    if (problem !== null) return { problem, verdict: verifier.verdict() };
  }
  const verdict = verifier.verdict();
  const further = await beside?.next();
  if (further?.done === false) {
    const what = `the database ends before this entry, ${AUDIT_FILE_NAME} goes on: it was cut, or put back from an older copy`;
    return { problem: { seq: verdict.entries + 1, what }, verdict };
  }
  return { problem: verifier.end(), verdict };
}

async function compare(text: string, seq: number, beside?: Beside): Promise<AuditProblem | null> {
  const line = beside === undefined ? null : parseLine(text);
  if (beside === undefined || line?.type !== "entry") return null;
  let other = await beside.next();
  // What one of the two has pruned already, and the other not yet.
  while (other.done !== true && other.value.seq < seq) other = await beside.next();
  if (other.done === true || other.value.hash === hexOf(line.hash)) return null;
  return { seq, what: `the database and ${AUDIT_FILE_NAME} hold different entries: one of them was written anew` };
}

type EntryHash = { readonly seq: number; readonly hash: string };
type Beside = AsyncIterator<EntryHash>;

async function* entryHashes(lines: Lines): AsyncGenerator<EntryHash> {
  for await (const text of lines) {
    const line = parseLine(text);
    const seq = line?.type === "entry" ? parseObject(line.entry)?.["seq"] : undefined;
    if (line?.type === "entry" && typeof seq === "number") yield { seq, hash: hexOf(line.hash) };
  }
}

async function* emptyLines(): AsyncGenerator<string> {
  // Nothing to give.
}

async function* linesOfDatabase(database: ReturnType<typeof openDatabase>): AsyncGenerator<string> {
  const store = createAuditLogStore(new Kysely<Schema>({ dialect: bunSqliteDialect(database) }));
  let place = LOG_START;
  for (;;) {
    const page = await store.linesAfter(place, LINES_PER_PAGE);
    const end = page.at(-1);
    if (end === undefined) return;
    for (const { line } of page) yield formatLine(line);
    place = end.place;
  }
}

/** Lines within the first `size` bytes. */
async function* linesOf(path: string, size: number): AsyncGenerator<string> {
  if (size === 0) return;
  const input = createReadStream(path, { end: size - 1, encoding: "utf8" });
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== "") yield line;
  }
}

function readPublicKey(path: string): Uint8Array {
  const text = readFileSync(path, "utf8").trim();
  if (!PUBLIC_KEY_HEX.test(text)) throw new Error(`Cannot use ${path}: a public key has 64 lower-case hex characters`);
  return Buffer.from(text, "hex");
}

function report({ problem, verdict }: Outcome, publicKey: Uint8Array): AuditVerification {
  const data = { ok: problem === null, problem, ...verdict, publicKey: hexOf(publicKey) };
  if (problem !== null) {
    return { isOk: false, text: `The audit log is not intact at entry ${problem.seq}: ${problem.what}`, data };
  }
  const torn =
    verdict.tornLines === 0 ? "" : `\n${verdict.tornLines} lines were cut by a kill and are there again as a whole`;
  const pruned = verdict.prunedSeq === 0 ? "" : ` (the first ${verdict.prunedSeq} were pruned)`;
  const text = `The audit log is intact: ${verdict.entries} entries${pruned}, ${verdict.checkpoints} checkpoints, signed up to entry ${verdict.signedSeq}\nHead ${verdict.head}${torn}`;
  return { isOk: true, text, data };
}
