import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, type EpochMs } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AuditedChanges } from "./audit-port.ts";
import { parseName } from "./name.ts";
import type { ClientKeyRecord, ClientKeyStore, ControlClock, KeyMint, KeyRing } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

const MIN_EXPIRY_MS = 60_000;
const MAX_EXPIRY_MS = 10 * 366 * 86_400_000;

export type ClientKeyReport = {
  readonly record: ClientKeyRecord;
  readonly state: "active" | "expired" | "revoked";
};

export type CreatedKey = {
  readonly id: ClientKeyId;
  readonly name: string;
  /** The key's text, for the one answer that hands it to its owner: never logged, never stored. */
  readonly disclose: () => string;
};

export type KeyService = {
  /** Fills the verifier from the store, before the listener opens. Gives how many keys it may accept. */
  load(): Promise<number>;
  /** `expiresInMs` null: never expires. */
  create(name: string, expiresInMs: DurationMs | null): Promise<Result<CreatedKey, Refusal>>;
  /** Newest first, revoked keys included. Reads the store, which knows when a key was last used. */
  list(): Promise<readonly ClientKeyReport[]>;
  /** The verifier refuses the key before this returns, even when the store then fails. */
  revoke(nameOrId: string): Promise<Result<ClientKeyReport, Refusal>>;
  nameOf(id: ClientKeyId): string | null;
};

export type KeyServiceNeeds = {
  /** Only read; what changes goes through `changes`. */
  readonly store: Pick<ClientKeyStore, "list">;
  readonly changes: AuditedChanges;
  readonly mint: KeyMint;
  readonly ring: KeyRing;
  readonly clock: ControlClock;
};

export function createKeyService(needs: KeyServiceNeeds): KeyService {
  const { store, ring, clock } = needs;
  const records = new Map<ClientKeyId, ClientKeyRecord>();
  return {
    async load() {
      const stored = await store.list();
      records.clear();
      for (const record of stored) records.set(record.id, record);
      const live = stored.filter(({ revokedAtMs }) => revokedAtMs === null);
      for (const record of live) ring.set(record);
      return live.length;
    },
    create: (name, expiresInMs) => createKey(needs, records, { name, expiresInMs }),
    async list() {
      const stored = await store.list();
      return stored.map((record) => describeKey(record, clock.now()));
    },
    revoke: (nameOrId) => revokeKey(needs, records, nameOrId),
    nameOf: (id) => records.get(id)?.name ?? null,
  };
}

/** Every key by its id, in memory, revoked ones included: reports name them on each line. */
type KnownKeys = Map<ClientKeyId, ClientKeyRecord>;
type KeyDraft = { readonly name: string; readonly expiresInMs: DurationMs | null };

async function createKey(
  { changes, mint, ring, clock }: KeyServiceNeeds,
  known: KnownKeys,
  draft: KeyDraft,
): Promise<Result<CreatedKey, Refusal>> {
  const name = parseName("create key", draft.name);
  if (!name.ok) return name;
  const { expiresInMs } = draft;
  if (expiresInMs !== null && (expiresInMs < MIN_EXPIRY_MS || expiresInMs > MAX_EXPIRY_MS)) {
    const fact = "a key expires after at least 1 minute and at most 10 years";
    return err(refusal("expiry_out_of_range", `Cannot create key "${name.value}": ${fact}`, "expiresIn"));
  }
  const holder = findKey(known, name.value);
  // An id is taken for good: what names a revoked key today must not name another one tomorrow.
  if (holder !== null && (holder.revokedAtMs === null || holder.id === name.value)) return err(nameTaken(name.value));

  const minted = mint.create();
  const nowMs = clock.now();
  const record: ClientKeyRecord = {
    id: minted.id,
    name: name.value,
    hmac: minted.hmac,
    pepperVersion: minted.pepperVersion,
    createdAtMs: nowMs,
    revokedAtMs: null,
    expiresAtMs: expiresInMs === null ? null : after(nowMs, expiresInMs),
    lastUsedAtMs: null,
  };
  const inserted = await changes.change(
    {
      code: "KEY001I",
      actor: currentActor(),
      object: objectOf(record),
      after: { expiresAtMs: record.expiresAtMs },
    },
    ({ clientKeys }) => clientKeys.insert(record),
  );
  if (!inserted.ok) return err(nameTaken(name.value));
  known.set(record.id, record);
  ring.set(record);
  return ok({ id: record.id, name: record.name, disclose: () => mint.disclose(minted) });
}

async function revokeKey(
  { changes, ring, clock }: KeyServiceNeeds,
  known: KnownKeys,
  nameOrId: string,
): Promise<Result<ClientKeyReport, Refusal>> {
  const record = findKey(known, nameOrId);
  const shown = JSON.stringify(nameOrId.slice(0, 80));
  if (record === null) {
    return err(refusal("key_not_found", `Cannot revoke key ${shown}: no key has this name or id`));
  }
  if (record.revokedAtMs !== null) {
    return err(refusal("key_already_revoked", `Cannot revoke key ${shown}: it is revoked already`));
  }
  // The verifier first: a store that fails must not keep a leaked key alive in this process.
  ring.remove(record.id);
  const revoked = { ...record, revokedAtMs: clock.now() };
  await changes.change(
    { code: "KEY002I", actor: currentActor(), object: objectOf(record), after: { revokedAtMs: revoked.revokedAtMs } },
    ({ clientKeys }) => clientKeys.revoke(record.id, revoked.revokedAtMs),
  );
  known.set(record.id, revoked);
  return ok({ record: revoked, state: "revoked" });
}

function objectOf({ id, name }: ClientKeyRecord) {
  return { type: "client_key", id, name };
}

/** By id, else by name. */
function findKey(known: KnownKeys, nameOrId: string): ClientKeyRecord | null {
  let named: ClientKeyRecord | null = null;
  for (const record of known.values()) {
    if (record.id === nameOrId) return record;
    // A revoked key frees its name: the key that holds the name now is the one that is meant.
    if (record.name === nameOrId && (named === null || record.revokedAtMs === null)) named = record;
  }
  return named;
}

function describeKey(record: ClientKeyRecord, nowMs: EpochMs): ClientKeyReport {
  if (record.revokedAtMs !== null) return { record, state: "revoked" };
  const isExpired = record.expiresAtMs !== null && record.expiresAtMs <= nowMs;
  return { record, state: isExpired ? "expired" : "active" };
}

function nameTaken(name: string): Refusal {
  return refusal("name_taken", `Cannot create key "${name}": another key has this name`, "name");
}
