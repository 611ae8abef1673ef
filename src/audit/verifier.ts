import { chainHash, EMPTY_HEAD } from "./chain.ts";
import { isSignedBy, signedBytes } from "./checkpoint.ts";
import { type AuditLine, hexOf, parseLine, parseObject } from "./line.ts";
import { prunedBytes } from "./pruned.ts";

/** A checkpoint is due after so many entries. */
export const CHECKPOINT_ENTRIES = 1000;

/** Where and how a log is not what the gateway wrote. `seq` is the entry at fault, or the one that is missing. */
export type AuditProblem = { readonly seq: number; readonly what: string };

export type AuditVerdict = {
  readonly logId: string | null;
  /** The number of the last entry: with what was removed when its time was over. */
  readonly entries: number;
  /** The last entry that was removed, as a signature says; 0 when none. */
  readonly prunedSeq: number;
  /** Hash of the last entry, lower-case hex. */
  readonly head: string;
  readonly checkpoints: number;
  /** The last entry that a signature covers; 0 when none. What follows is protected by the second sink alone. */
  readonly signedSeq: number;
  /** Lines that a kill cut; in audit.log alone, and each is there again as a whole. */
  readonly tornLines: number;
};

export type VerifierOptions = {
  /** Of the installation, from a place that the log's keeper cannot write. 32 bytes. */
  readonly publicKey: Uint8Array;
  /** For audit.log: a line that is no line counts as torn. The chain tells whether anything is missing. */
  readonly mayTear?: boolean;
};

export type AuditVerifier = {
  readonly verdict: () => AuditVerdict;
  /** The first problem, or null. After a problem it must not be fed further. */
  line(text: string): AuditProblem | null;
  /** What only the end shows. */
  end(): AuditProblem | null;
};

/** Reads a log line by line, from its first entry on. Memory does not grow with it. */
export function createAuditVerifier({ publicKey, mayTear = false }: VerifierOptions): AuditVerifier {
  const state: State = {
    publicKey,
    logId: null,
    seq: 0,
    prunedSeq: 0,
    head: EMPTY_HEAD,
    checkpoints: 0,
    signedSeq: 0,
    previous: null,
  };
  let tornLines = 0;
  return {
    verdict: () => ({
      logId: state.logId,
      entries: state.seq,
      prunedSeq: state.prunedSeq,
      head: hexOf(state.head),
      checkpoints: state.checkpoints,
      signedSeq: state.signedSeq,
      tornLines,
    }),
    line(text) {
      const line = parseLine(text);
      if (line !== null) return takeLine(state, line);
      if (!mayTear) return { seq: state.seq + 1, what: "a line is not a line of an audit log" };
      tornLines += 1;
      return null;
    },
    end() {
      // The gateway seals at once after so many: a longer tail lost its checkpoints.
      if (state.seq - state.signedSeq <= 2 * CHECKPOINT_ENTRIES) return null;
      return { seq: state.signedSeq + 1, what: `${state.seq - state.signedSeq} entries have no checkpoint after them` };
    },
  };
}

type State = {
  readonly publicKey: Uint8Array;
  logId: string | null;
  seq: number;
  prunedSeq: number;
  head: Uint8Array;
  checkpoints: number;
  signedSeq: number;
  /** Signature of the last checkpoint, hex. */
  previous: string | null;
};

function takeLine(state: State, line: AuditLine): AuditProblem | null {
  switch (line.type) {
    case "log":
      if (!Buffer.from(line.publicKey).equals(state.publicKey)) {
        return { seq: state.seq + 1, what: "the log names another public key: it is of another installation" };
      }
      return takeLogId(state, line.logId);
    case "entry":
      return takeEntry(state, line.entry, line.hash);
    case "checkpoint":
      return takeCheckpoint(state, line.statement, line.signature);
    case "pruned":
      return takePruned(state, line.statement, line.signature);
  }
}

function takeLogId(state: State, logId: unknown): AuditProblem | null {
  if (typeof logId !== "string" || (state.logId !== null && state.logId !== logId)) {
    return { seq: state.seq + 1, what: "the id of the log changes: it was put together from two" };
  }
  state.logId = logId;
  return null;
}

function takeEntry(state: State, entry: string, hash: Uint8Array): AuditProblem | null {
  const expected = state.seq + 1;
  const seq = parseObject(entry)?.["seq"];
  if (seq !== expected) {
    return { seq: expected, what: `entry ${expected} is missing or has another number (${JSON.stringify(seq)})` };
  }
  const head = chainHash(entry, state.head);
  if (!Buffer.from(hash).equals(head)) {
    return { seq: expected, what: "the hash does not fit: this entry or the one before was changed" };
  }
  state.seq = expected;
  state.head = head;
  return null;
}

function takeCheckpoint(state: State, statement: string, signature: Uint8Array): AuditProblem | null {
  const fields = parseObject(statement);
  const at = (what: string): AuditProblem => ({ seq: state.seq, what });
  if (fields === null || !isSignedBy(state.publicKey, signedBytes(statement), signature)) {
    return at("a checkpoint is not signed by the key of this log");
  }
  const { log, seq, hash, previous } = fields;
  const foreign = takeLogId(state, log);
  if (foreign !== null) return foreign;
  if (typeof seq === "number" && seq > state.seq) {
    return { seq: state.seq + 1, what: `entry ${state.seq + 1} is missing, a checkpoint covers entries up to ${seq}` };
  }
  if (seq !== state.seq) return at(`the checkpoint of entry ${JSON.stringify(seq)} is in another place`);
  if (hash !== hexOf(state.head)) return at("the entries up to here are not those that were signed");
  if (previous !== state.previous) return at("a checkpoint is missing before this one");
  state.checkpoints += 1;
  state.signedSeq = state.seq;
  state.previous = hexOf(signature);
  return null;
}

function takePruned(state: State, statement: string, signature: Uint8Array): AuditProblem | null {
  const at = (what: string): AuditProblem => ({ seq: state.seq + 1, what });
  const fields = parseObject(statement);
  if (fields === null || !isSignedBy(state.publicKey, prunedBytes(statement), signature)) {
    return at("the mark of what was pruned is not signed by the key of this log");
  }
  if (state.seq > 0 || state.checkpoints > 0) return at("a mark of what was pruned stands behind entries");
  const { log, prunedTo, hash, previous } = fields;
  const foreign = takeLogId(state, log);
  if (foreign !== null) return foreign;
  if (typeof prunedTo !== "number" || typeof hash !== "string" || typeof previous !== "string") {
    return at("the mark of what was pruned is not one of this version");
  }
  state.seq = prunedTo;
  state.prunedSeq = prunedTo;
  state.signedSeq = prunedTo;
  state.head = Buffer.from(hash, "hex");
  state.previous = previous;
  return null;
}
