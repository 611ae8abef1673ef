import { type AuditKeeper, openAuditKeeper, type SinkLag, type SinkPolicy } from "./audit-keeper.ts";
import { createAuditPruner } from "./audit-pruner.ts";
import { createAuditReader } from "./audit-reader.ts";
import { SYSTEM } from "./control/acting.ts";
import type { AuditDraft, AuditedChanges, AuditReader, AuditRemote } from "./control/audit-port.ts";
import { createDoorTally, type DoorTally } from "./control/door-tally.ts";
import { createRefusalTally, type RefusedKey } from "./control/refusal-tally.ts";
import { parseClientKey } from "./domain/access/client-key.ts";
import type { ClientKeyId } from "./domain/access/client-key-id.ts";
import type { ClientKeys, Clock } from "./gateway/ports.ts";
import { durationMs } from "./kernel/time.ts";
import type { Keyring } from "./keyring/keyring.ts";
import { escapeUnprintable } from "./observe/describe-error.ts";
import type { Log } from "./observe/log.ts";
import { createRedactor, type FindSecrets } from "./observe/redactor.ts";
import type { Storage } from "./storage/storage.ts";
import { VERSION } from "./version.ts";

const REFUSALS_MS = durationMs(60_000);
const DAY_MS = durationMs(86_400_000);
const DEFAULT_RETENTION_DAYS = 400;

/** What is no key at all, whatever it was: its text is never kept. */
const NO_KEY: RefusedKey = { id: "malformed", name: null };

export type RunningAuditNeeds = {
  readonly storage: Storage;
  readonly keyring: Keyring;
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Finds the secrets that this process holds. Default: those alone that look like one. */
  readonly find?: FindSecrets;
  /** Places elsewhere that take copies. Default: none. */
  readonly remotes?: readonly AuditRemote[];
  /** Default: read-only. */
  readonly whenSinkBlocked?: SinkPolicy;
  /** What may wait for one of them. Default: 1 GiB. */
  readonly maxPendingBytes?: number;
  /** Default: 400. */
  readonly retentionDays?: number;
};

export type RunningAudit = {
  readonly changes: AuditedChanges;
  readonly reader: AuditReader;
  /** What is refused before anybody is known, counted, and noted once a minute. */
  readonly door: DoorTally;
  /** How far each sink is behind, from memory. */
  lags(): readonly SinkLag[];
  /** The same keys; whoever is refused is counted, and noted once a minute. */
  watching(keys: ClientKeys, nameOf: (id: ClientKeyId) => string | null): ClientKeys;
  /** Notes the start. An audit log that cannot be written stops no request: it is logged. */
  start(): Promise<void>;
  /** Notes what is left and the stop, signs and copies it. */
  stop(): Promise<void>;
};

/** @throws Error when the signing key does not open. */
export async function openRunningAudit(needs: RunningAuditNeeds): Promise<RunningAudit> {
  const { storage, log, clock } = needs;
  const keeper: AuditKeeper = await openAuditKeeper({
    remotes: [],
    whenSinkBlocked: "read-only",
    ...needs,
    store: storage.auditLog,
    cursors: storage.auditSinks,
  });
  const redactor = createRedactor({ key: keeper.tagKey, ...(needs.find === undefined ? {} : { find: needs.find }) });
  const changes = storage.auditedChanges({
    now: clock.now,
    clean: (text) => escapeUnprintable(redactor.redact(text)),
    onAppended: keeper.noticed,
    refusal: keeper.refusal,
  });
  const pruner = await createAuditPruner({
    retentionDays: DEFAULT_RETENTION_DAYS,
    ...needs,
    store: storage.auditLog,
    keeper,
    changes,
    steadyMs: () => performance.now(),
  });
  const tally = createRefusalTally();
  const door = createDoorTally();
  const note = async (drafts: readonly AuditDraft[]): Promise<void> => {
    try {
      for (const draft of drafts) await changes.note(draft);
    } catch (cause) {
      log.error("The audit log cannot be written", { error: cause });
    }
  };
  /** The ledger's thread does it after its own commits alone: without requests nobody would. */
  const carryOver = async (): Promise<void> => {
    try {
      await storage.checkpoint();
    } catch (cause) {
      log.warn("The write-ahead log cannot be carried into the database", { error: cause });
    }
  };
  const process = { type: "gateway", id: keeper.logId, name: null };
  const endTicks: (() => void)[] = [];

  return {
    changes,
    door,
    reader: createAuditReader({ store: storage.auditLog, changes, identity: keeper, pruner }),
    lags: keeper.lags,
    watching: (keys, nameOf) => ({
      ...keys,
      // hot path
      verify(text) {
        const caller = keys.verify(text);
        if (caller === null) tally.refused(refusedKey(text, nameOf), clock.now());
        return caller;
      },
    }),
    async start() {
      endTicks.push(clock.every(REFUSALS_MS, () => void note([...tally.take(), ...door.take()])));
      endTicks.push(clock.every(DAY_MS, () => void pruner.daily()));
      endTicks.push(clock.every(REFUSALS_MS, () => void carryOver()));
      await note([{ code: "SYS001I", actor: SYSTEM, object: process, after: { version: VERSION } }]);
      await pruner.daily();
      void carryOver();
    },
    async stop() {
      for (const end of endTicks) end();
      await note([...tally.take(), ...door.take(), { code: "SYS002I", actor: SYSTEM, object: process }]);
      await keeper.stop();
    },
  };
}

/** The id of a client key is public (it is in `key list`), the rest of it is not looked at. */
function refusedKey(text: string, nameOf: (id: ClientKeyId) => string | null): RefusedKey {
  const parsed = parseClientKey(text);
  return parsed.ok ? { id: parsed.value.keyId, name: nameOf(parsed.value.keyId) } : NO_KEY;
}
