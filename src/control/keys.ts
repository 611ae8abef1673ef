import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { DurationMs, EpochMs } from "../kernel/time.ts";
import { SYSTEM } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";
import {
  auditOf,
  createKey,
  findKey,
  type KeyChangeNeeds,
  type KnownKeys,
  noSuchKey,
  revokeKey,
  rotateKey,
  sealed,
} from "./key-changes.ts";
import type { KeyDraft } from "./key-draft.ts";
import type {
  ClientKeyRecord,
  ClientKeyStore,
  ControlClock,
  KeyMint,
  KeyRing,
  KeySeals,
  SettingStore,
} from "./ports.ts";
import type { Refusal } from "./refusal.ts";

export type ClientKeyReport = {
  readonly record: ClientKeyRecord;
  /** suspended: its owner may not use the proxy. rotated: another key took its place, and this one ends with its overlap. */
  readonly state: "active" | "rotated" | "suspended" | "expired" | "revoked";
};

export type CreatedKey = {
  readonly id: ClientKeyId;
  readonly name: string;
  /** The key's text, for the one answer that hands it to its owner: never logged, never stored. */
  readonly disclose: () => string;
};

/** `ownerId` absent: everybody's keys; null: the operator's. */
export type KeyFilter = { readonly ownerId?: UserId | null };

export type KeyService = {
  /**
   * Fills the verifier from the store, before the listener opens. `mayUseProxy` says of every owner whether their keys are
   * accepted. Gives how many keys may be.
   */
  load(mayUseProxy: (owner: UserId) => boolean): Promise<number>;
  create(draft: KeyDraft): Promise<Result<CreatedKey, Refusal>>;
  /** Newest first, revoked keys included. Reads the store, which knows when a key was last used. */
  list(filter?: KeyFilter): Promise<readonly ClientKeyReport[]>;
  show(nameOrId: string, filter?: KeyFilter): Promise<Result<ClientKeyReport, Refusal>>;
  /** The verifier refuses the key before this returns, even when the store then fails. */
  revoke(nameOrId: string, filter?: KeyFilter): Promise<Result<ClientKeyReport, Refusal>>;
  /** `overlapMs`, 0 to 24 hours: how long the old key goes on to be accepted. */
  rotate(nameOrId: string, overlapMs: DurationMs, filter?: KeyFilter): Promise<Result<CreatedKey, Refusal>>;
  /** Takes effect before it returns: their requests end and their keys are refused, or are accepted again. */
  ownerChanged(owner: UserId, mayUseProxy: boolean): void;
  nameOf(id: ClientKeyId): string | null;
};

export type KeyServiceNeeds = {
  /** Only read; what changes goes through `changes`. */
  readonly store: Pick<ClientKeyStore, "list">;
  readonly settings: Pick<SettingStore, "get">;
  readonly changes: AuditedChanges;
  readonly mint: KeyMint;
  readonly ring: KeyRing;
  readonly seals: KeySeals;
  readonly clock: ControlClock;
  /** A stored key was changed outside the gateway and is not accepted. */
  onForeignRow(record: ClientKeyRecord): void;
};

export function createKeyService(given: KeyServiceNeeds): KeyService {
  const { store, ring, clock } = given;
  const known: KnownKeys = new Map();
  const suspended = new Set<UserId>();
  const isSuspended = ({ ownerId }: ClientKeyRecord) => ownerId !== null && suspended.has(ownerId);
  const needs: KeyChangeNeeds = {
    ...given,
    known,
    admit: (record) => (isSuspended(record) ? undefined : ring.set(record)),
  };
  const describe = (record: ClientKeyRecord): ClientKeyReport => ({
    record,
    state: stateOf(record, { isSuspended: isSuspended(record), nowMs: clock.now() }),
  });
  return {
    async load(mayUseProxy) {
      const stored = await store.list();
      const genuine = await genuineRows(needs, stored);
      known.clear();
      // Oldest first. The seals were for the rows: a change makes a new one, and among many keys they take room.
      for (const record of [...stored].reverse()) known.set(record.id, { ...record, seal: null });
      for (const { ownerId } of stored) {
        if (ownerId !== null && !mayUseProxy(ownerId)) suspended.add(ownerId);
      }
      const live = [...genuine.values()].filter((record) => record.revokedAtMs === null && !isSuspended(record));
      for (const record of live) ring.set(record);
      return live.length;
    },
    create: (draft) => createKey(needs, draft),
    async list({ ownerId } = {}) {
      const stored = await store.list();
      return stored.filter((record) => ownerId === undefined || record.ownerId === ownerId).map(describe);
    },
    async show(nameOrId, filter = {}) {
      const found = findKey(known, nameOrId, filter);
      if (found === null) return err(noSuchKey("show", nameOrId));
      const stored = await store.list();
      return ok(describe(stored.find(({ id }) => id === found.id) ?? found));
    },
    async revoke(nameOrId, filter = {}) {
      const revoked = await revokeKey(needs, nameOrId, filter);
      return revoked.ok ? ok(describe(revoked.value)) : revoked;
    },
    rotate: (nameOrId, overlapMs, filter = {}) => rotateKey(needs, nameOrId, { overlapMs, filter }),
    ownerChanged(owner, mayUseProxy) {
      if (mayUseProxy) suspended.delete(owner);
      else suspended.add(owner);
      for (const record of known.values()) {
        if (record.ownerId !== owner || record.revokedAtMs !== null) continue;
        if (mayUseProxy) ring.set(record);
        else ring.remove(record.id);
      }
    },
    nameOf: (id) => known.get(id)?.name ?? null,
  };
}

const SEALED = "clientKeysSealed";

/**
 * The rows that are as the gateway wrote them, by the MAC over each. Rows of a version that sealed none are sealed once;
 * from then on a row without a seal is a forged one.
 */
async function genuineRows(needs: KeyChangeNeeds, stored: readonly ClientKeyRecord[]): Promise<KnownKeys> {
  const { settings, seals, changes } = needs;
  const isSealed = (await settings.get(SEALED)) !== null;
  const genuine: KnownKeys = new Map();
  const unsealed: ClientKeyRecord[] = [];
  const foreign: ClientKeyRecord[] = [];
  for (const record of stored) {
    // Nothing opens with a row that is revoked, or that was imported without its secret.
    if (record.revokedAtMs !== null) continue;
    if (record.seal === null && !isSealed) unsealed.push(sealed(needs, record));
    else if (seals.isGenuine(record)) genuine.set(record.id, record);
    else foreign.push(record);
  }
  await tellForeign(needs, foreign);
  if (isSealed) return genuine;
  await changes.change(
    { code: "KEY006I", actor: SYSTEM, object: { type: "client_keys", id: "all", name: null } },
    async (stores) => {
      await stores.clientKeys.reseal(unsealed);
      await stores.settings.set(SEALED, "1");
    },
  );
  for (const record of unsealed) genuine.set(record.id, record);
  return genuine;
}

/** So many are told of one by one: a database of another gateway must not fill the audit log. */
const MAX_TOLD = 10;

async function tellForeign({ changes, onForeignRow }: KeyChangeNeeds, foreign: readonly ClientKeyRecord[]) {
  for (const record of foreign.slice(0, MAX_TOLD)) {
    onForeignRow(record);
    await changes.note({ ...auditOf("KEY005E", record), reason: "row_changed_outside" });
  }
  const more = foreign.length - MAX_TOLD;
  if (more <= 0) return;
  const object = { type: "client_keys", id: "others", name: null };
  await changes.note({ code: "KEY005E", actor: SYSTEM, object, after: { count: more }, reason: "row_changed_outside" });
}

type Now = { readonly isSuspended: boolean; readonly nowMs: EpochMs };

function stateOf(record: ClientKeyRecord, { isSuspended, nowMs }: Now): ClientKeyReport["state"] {
  if (record.revokedAtMs !== null) return "revoked";
  if (record.expiresAtMs !== null && record.expiresAtMs <= nowMs) return "expired";
  if (isSuspended) return "suspended";
  return record.rotatedTo === null ? "active" : "rotated";
}
