import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { checkpointStatement, signedBytes } from "./audit/checkpoint.ts";
import { hexOf } from "./audit/line.ts";
import { CHECKPOINT_ENTRIES } from "./audit/verifier.ts";
import { AUDIT_FILE_NAME, createFileSink } from "./audit-file-sink.ts";
import { openRemoteSink, type RemoteSink } from "./audit-remote-sink.ts";
import type { AuditPruning, AuditRemote, AuditSinkReport } from "./control/audit-port.ts";
import type { Clock } from "./gateway/ports.ts";
import { durationMs, type EpochMs, elapsed } from "./kernel/time.ts";
import { type AuditSigner, openAuditSigner, sealSigningKey } from "./keyring/audit-signer.ts";
import type { Keyring } from "./keyring/keyring.ts";
import type { Log } from "./observe/log.ts";
import type { AuditLogStore } from "./storage/audit/audit-log-store.ts";
import type { AuditSinkStore } from "./storage/audit/audit-sink-store.ts";

/** 64 hex characters and a line break. */
export const PUBLIC_KEY_NAME = "audit.pub";

const CHECKPOINT_MS = durationMs(60_000);
/** A sink that is further behind is blocked: for so long, and for so much, the database alone holds what it does not take. */
const MAX_SINK_LAG_MS = 24 * 3_600_000;
const MAX_SINK_BYTES = 1024 * 1024 * 1024;
/** What a sink may take to be called prompt. */
const PROMPT_MS = 60_000;

/** Whether changes are refused while a sink is blocked. */
export type SinkPolicy = "read-only" | "continue";

export type AuditKeeperNeeds = {
  readonly store: AuditLogStore;
  readonly cursors: AuditSinkStore;
  readonly remotes: readonly AuditRemote[];
  readonly whenSinkBlocked: SinkPolicy;
  /** What may wait for one sink. Default: 1 GiB. */
  readonly maxPendingBytes?: number;
  readonly keyring: Keyring;
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
};

/** How far one sink is behind, from memory. */
export type SinkLag = { readonly name: AuditSinkReport["name"]; readonly lagMs: number; readonly isBlocked: boolean };

/** Signs the heads of the audit log, and sees that every line of it gets to every other sink. */
export type AuditKeeper = {
  readonly logId: string;
  readonly publicKey: Uint8Array;
  /** Salt of the tags that stand for secrets in entries. */
  readonly tagKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
  /** A row was committed: it goes to the sinks within moments. */
  noticed(): void;
  /** Why no change may be made just now: a sink is blocked. Null mostly. */
  refusal(): string | null;
  lags(): readonly SinkLag[];
  sinks(): Promise<readonly AuditSinkReport[]>;
  /** The last entry that every sink has, and the name of the slowest. */
  slowest(): { readonly seq: number; readonly name: string };
  /** Takes out of audit.log what the mark says. @throws Error */
  pruneFile(pruning: AuditPruning, hash: string): Promise<void>;
  /** Signs what is new at once. */
  seal(): Promise<void>;
  /** Signs and writes what is left. */
  stop(): Promise<void>;
};

/** @throws Error when the signing key does not open. A sink that cannot be used is logged, and tried again. */
export async function openAuditKeeper(needs: AuditKeeperNeeds): Promise<AuditKeeper> {
  const { store, keyring, log, clock, maxPendingBytes = MAX_SINK_BYTES } = needs;
  const { logId, signer } = await openLog(store, keyring);
  const identity = { logId, publicKey: signer.publicKey };
  const file = createFileSink({ store, dataDir: needs.dataDir, identity });
  writePublicKey(join(needs.dataDir, PUBLIC_KEY_NAME), signer.publicKey);
  let running: Promise<void> = Promise.resolve();
  let isQueued = false;

  const attempt = async (isDue: boolean): Promise<void> => {
    isQueued = false;
    try {
      await signWhenDue({ store, signer, logId, nowMs: clock.now(), isDue });
      await file.write();
    } catch (cause) {
      log.error("The audit log cannot be sealed or copied to its second sink", { error: cause });
    }
    for (const each of remotes) each.wake();
  };
  const remotes: RemoteSink[] = [];
  running = attempt(false);
  await running;
  for (const remote of needs.remotes) remotes.push(await openRemoteSink({ ...needs, remote, identity }));
  const endTicks = clock.every(CHECKPOINT_MS, () => {
    running = running.then(() => attempt(true));
  });
  const sinks: readonly WatchedSink[] = [
    { ...file, name: "file", target: AUDIT_FILE_NAME, pendingBytes: () => 0, maxPendingBytes },
    ...remotes.map((each) => ({ ...each, maxPendingBytes })),
  ];

  return {
    ...identity,
    tagKey: signer.tagKey,
    sign: signer.sign,
    noticed() {
      if (isQueued) return;
      isQueued = true;
      running = running.then(() => attempt(false));
    },
    async seal() {
      running = running.then(() => attempt(true));
      await running;
    },
    refusal: () => (needs.whenSinkBlocked === "continue" ? null : refusalOf(sinks, clock.now())),
    lags: () => sinks.map((sink) => lagOf(sink, clock.now())),
    sinks: async () => reportsOf(sinks, (await store.lastEntry())?.seq ?? 0, clock.now()),
    slowest: () => slowestOf(sinks),
    async pruneFile(pruning, hash) {
      const done = running.then(() => file.prune(pruning, hash));
      running = done.catch(() => undefined);
      await done;
    },
    async stop() {
      endTicks();
      running = running.then(() => attempt(true));
      await running;
      await Promise.all(remotes.map((each) => each.stop()));
      file.close();
    },
  };
}

type WatchedSink = Pick<RemoteSink, "target" | "place" | "behindSinceMs" | "pendingBytes" | "problem"> & {
  readonly name: AuditSinkReport["name"];
  readonly maxPendingBytes: number;
};

function lagOf({ name, behindSinceMs, pendingBytes, maxPendingBytes }: WatchedSink, nowMs: EpochMs): SinkLag {
  const sinceMs = behindSinceMs();
  const lagMs = sinceMs === null ? 0 : Math.max(0, elapsed(sinceMs, nowMs));
  return { name, lagMs, isBlocked: lagMs >= MAX_SINK_LAG_MS || pendingBytes() >= maxPendingBytes };
}

function refusalOf(sinks: readonly WatchedSink[], nowMs: EpochMs): string | null {
  const blocked = sinks.find((sink) => lagOf(sink, nowMs).isBlocked);
  if (blocked === undefined) return null;
  const what = blocked.name === "file" ? blocked.target : `the ${blocked.name} of the audit log (${blocked.target})`;
  return (
    `Cannot change anything: ${what} has taken no entry for more than 24 h, or leaves more than 1 GiB waiting; ` +
    'the log says why. Mend it, or set audit.whenSinkBlocked = "continue" and start again'
  );
}

function reportsOf(sinks: readonly WatchedSink[], lastSeq: number, nowMs: EpochMs): readonly AuditSinkReport[] {
  return sinks.map((sink) => {
    const { lagMs, isBlocked } = lagOf(sink, nowMs);
    const isOk = sink.problem() === null && lagMs < PROMPT_MS;
    const takenSeq = sink.place().seq;
    return {
      name: sink.name,
      target: sink.target,
      state: isBlocked ? "blocked" : isOk ? "ok" : "behind",
      behindSinceMs: sink.behindSinceMs(),
      takenSeq,
      pendingEntries: lastSeq - takenSeq,
      problem: sink.problem(),
    };
  });
}

function slowestOf(sinks: readonly WatchedSink[]): { readonly seq: number; readonly name: string } {
  const found = sinks.map((sink) => ({ seq: sink.place().seq, name: sink.name }));
  return found.reduce((slowest, each) => (each.seq < slowest.seq ? each : slowest));
}

async function openLog(
  store: AuditLogStore,
  keyring: Keyring,
): Promise<{ readonly logId: string; readonly signer: AuditSigner }> {
  let row = await store.log();
  if (row === null) {
    const id = Bun.randomUUIDv7();
    const { sealed, generation } = sealSigningKey(keyring, id);
    row = { id, generation, signingKey: sealed };
    await store.createLog(row);
  }
  const signer = openAuditSigner(keyring, { logId: row.id, sealed: row.signingKey });
  if (signer.ok) return { logId: row.id, signer: signer.value };
  throw new Error(`Cannot open the key that signs the audit log: ${signer.error}. Restore the database from a backup`);
}

function writePublicKey(path: string, publicKey: Uint8Array): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = openSync(path, flags, 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, `${hexOf(publicKey)}\n`);
  } finally {
    closeSync(file);
  }
}

type Signing = {
  readonly store: AuditLogStore;
  readonly signer: AuditSigner;
  readonly logId: string;
  readonly nowMs: EpochMs;
  /** The minute is over: sign whatever is new. */
  readonly isDue: boolean;
};

async function signWhenDue({ store, signer, logId, nowMs, isDue }: Signing): Promise<void> {
  const last = await store.lastEntry();
  const before = await store.lastCheckpoint();
  const newCount = (last?.seq ?? 0) - (before?.seq ?? 0);
  if (last === null || newCount <= 0 || (!isDue && newCount < CHECKPOINT_ENTRIES)) return;
  const statement = checkpointStatement({
    logId,
    seq: last.seq,
    hash: hexOf(last.hash),
    at: new Date(nowMs).toISOString(),
    previous: before === null ? null : hexOf(before.signature),
  });
  const signature = signer.sign(signedBytes(statement));
  await store.addCheckpoint({ seq: last.seq, atMs: nowMs, statement, signature });
}
