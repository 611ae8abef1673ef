import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { checkpointStatement, signedBytes } from "./audit/checkpoint.ts";
import { formatLine, hexOf } from "./audit/line.ts";
import { CHECKPOINT_ENTRIES } from "./audit/verifier.ts";
import type { AuditPlace } from "./control/audit-port.ts";
import type { Clock } from "./gateway/ports.ts";
import { durationMs, type EpochMs, elapsed } from "./kernel/time.ts";
import { type AuditSigner, openAuditSigner, sealSigningKey } from "./keyring/audit-signer.ts";
import type { Keyring } from "./keyring/keyring.ts";
import type { Log } from "./observe/log.ts";
import { type AuditFile, openAuditFile } from "./storage/audit/audit-file.ts";
import { type AuditLogStore, LOG_START } from "./storage/audit/audit-log-store.ts";

export const AUDIT_FILE_NAME = "audit.log";
/** 64 hex characters and a line break. */
export const PUBLIC_KEY_NAME = "audit.pub";

const CHECKPOINT_MS = durationMs(60_000);
const LINES_PER_WRITE = 1000;
/** security.md D17: for so long the database alone holds what the second sink does not take. */
const MAX_SINK_LAG_MS = 24 * 3_600_000;

export type AuditKeeperNeeds = {
  readonly store: AuditLogStore;
  readonly keyring: Keyring;
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
};

/** Signs the heads of the audit log, and copies every line of it to the second sink. */
export type AuditKeeper = {
  readonly logId: string;
  readonly publicKey: Uint8Array;
  /** Salt of the tags that stand for secrets in entries. */
  readonly tagKey: Uint8Array;
  /** A row was committed: it goes to the second sink within moments. */
  noticed(): void;
  /** Why no change may be made just now: the second sink has taken nothing for a day. Null mostly. */
  refusal(): string | null;
  /** Signs what is new at once. */
  seal(): Promise<void>;
  /** Signs and writes what is left. */
  stop(): Promise<void>;
};

/** @throws Error when the signing key does not open. A second sink that cannot be used is logged, and tried again. */
export async function openAuditKeeper(needs: AuditKeeperNeeds): Promise<AuditKeeper> {
  const { store, keyring, log, clock } = needs;
  const { logId, signer } = await openLog(store, keyring);
  const sink = createSink(needs, { logId, publicKey: signer.publicKey });
  writePublicKey(join(needs.dataDir, PUBLIC_KEY_NAME), signer.publicKey);
  let running: Promise<void> = Promise.resolve();
  let isQueued = false;

  const attempt = async (isDue: boolean): Promise<void> => {
    isQueued = false;
    try {
      await signWhenDue({ store, signer, logId, nowMs: clock.now(), isDue });
      await sink.write();
    } catch (cause) {
      log.error("The audit log cannot be sealed or copied to its second sink", { error: cause });
    }
  };
  const endTicks = clock.every(CHECKPOINT_MS, () => {
    running = running.then(() => attempt(true));
  });
  running = attempt(false);
  await running;

  return {
    logId,
    publicKey: signer.publicKey,
    tagKey: signer.tagKey,
    noticed() {
      if (isQueued) return;
      isQueued = true;
      running = running.then(() => attempt(false));
    },
    async seal() {
      running = running.then(() => attempt(true));
      await running;
    },
    refusal: () => sink.refusal(clock.now()),
    async stop() {
      endTicks();
      running = running.then(() => attempt(true));
      await running;
      sink.close();
    },
  };
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

type LogIdentity = { readonly logId: string; readonly publicKey: Uint8Array };

function createSink({ store, dataDir }: AuditKeeperNeeds, { logId, publicKey }: LogIdentity) {
  let file: AuditFile | null = null;
  let place: AuditPlace = LOG_START;
  /** When the first line was made that the file does not have; null when it has all. */
  let behindSinceMs: EpochMs | null = null;

  const open = async (): Promise<AuditFile> => {
    const opened = openAuditFile(join(dataDir, AUDIT_FILE_NAME));
    try {
      if (opened.end === null) {
        opened.append([formatLine({ type: "log", logId, publicKey })]);
        place = LOG_START;
      } else {
        const { end } = opened;
        const entry = await store.entry(end.place.seq);
        if (end.place.seq > 0 && (entry === null || hexOf(entry.hash) !== end.hash)) {
          throw new Error(
            `Cannot go on in ${AUDIT_FILE_NAME}: it ends at entry ${end.place.seq}, and the database does not hold that ` +
              "entry. Either was changed or put back from an older copy; keep both, run `audit verify`, then move the file away",
          );
        }
        place = end.place;
      }
      return opened;
    } catch (cause) {
      opened.close();
      throw cause;
    }
  };

  return {
    async write(): Promise<void> {
      for (;;) {
        const lines = await store.linesAfter(place, LINES_PER_WRITE);
        behindSinceMs = lines[0]?.atMs ?? null;
        if (file === null) {
          file = await open();
          continue;
        }
        const end = lines.at(-1);
        if (end === undefined) return;
        try {
          file.append(lines.map(({ line }) => formatLine(line)));
        } catch (cause) {
          // Part of a line may be there: opening it again finds the last whole one.
          file.close();
          file = null;
          throw cause;
        }
        place = end.place;
      }
    },
    refusal(nowMs: EpochMs): string | null {
      if (behindSinceMs === null || elapsed(behindSinceMs, nowMs) < MAX_SINK_LAG_MS) return null;
      return `Cannot change anything: ${AUDIT_FILE_NAME} has taken no entry for more than 24 h; the gateway's log says why`;
    },
    close: () => file?.close(),
  };
}
