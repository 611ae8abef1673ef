import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AuditDraft } from "./audit-port.ts";
import { type KeyDraft, type KeyPlan, parseKeyDraft } from "./key-draft.ts";
import type { CreatedKey, KeyFilter, KeyServiceNeeds } from "./keys.ts";
import type { ClientKeyRecord, MintedKey } from "./ports.ts";
import { type Refusal, type RefusalCode, refusal } from "./refusal.ts";

/** Every key by its id, in memory, revoked ones included: reports name them on each line. */
export type KnownKeys = Map<ClientKeyId, ClientKeyRecord>;

/** What the changes need beside the service's own needs. */
export type KeyChangeNeeds = KeyServiceNeeds & {
  readonly known: KnownKeys;
  /** Puts a key into the verifier, unless its owner may not use the proxy. */
  readonly admit: (record: ClientKeyRecord) => void;
};

const MAX_OVERLAP_MS = 24 * 3_600_000;

export async function createKey(needs: KeyChangeNeeds, draft: KeyDraft): Promise<Result<CreatedKey, Refusal>> {
  const { changes, mint, known, admit, clock } = needs;
  const plan = parseKeyDraft(draft);
  if (!plan.ok) return plan;
  const { name } = plan.value;
  const holder = findKey(known, name, {});
  // An id is taken for good: what names a revoked key today must not name another one tomorrow.
  if (holder !== null && (isCurrent(holder) || holder.id === name)) return err(nameTaken(name));

  const minted = mint.create();
  const record = sealed(needs, recordOf(minted, plan.value, clock.now()));
  const inserted = await changes.change(
    { ...auditOf("KEY001I", record), after: { expiresAtMs: record.expiresAtMs, ownerId: record.ownerId } },
    ({ clientKeys }) => clientKeys.insert(record),
  );
  if (!inserted.ok) return err(nameTaken(name));
  known.set(record.id, record);
  admit(record);
  return ok({ id: record.id, name: record.name, disclose: () => mint.disclose(minted) });
}

/**
 * A new key with the same name, owner, grant, limits and span of life; the old one is refused once the overlap is over.
 * Both take from the same limits.
 */
export async function rotateKey(
  needs: KeyChangeNeeds,
  nameOrId: string,
  { overlapMs, filter }: { readonly overlapMs: DurationMs; readonly filter: KeyFilter },
): Promise<Result<CreatedKey, Refusal>> {
  const { changes, mint, known, admit, clock } = needs;
  const cannot = (code: RefusalCode, fact: string, field: string | null = null) =>
    err(refusal(code, `Cannot rotate key ${shown(nameOrId)}: ${fact}`, field));
  const old = findKey(known, nameOrId, filter);
  if (old === null) return err(noSuchKey("rotate", nameOrId));
  if (overlapMs > MAX_OVERLAP_MS) return cannot("overlap_out_of_range", "an overlap is at most 24 hours", "overlap");
  const nowMs = clock.now();
  if (!isCurrent(old) || (old.expiresAtMs !== null && old.expiresAtMs <= nowMs)) {
    return cannot("key_not_active", "it is revoked, expired or rotated already");
  }
  const minted = mint.create();
  const lifeMs = old.expiresAtMs === null ? null : durationMs(elapsed(old.createdAtMs, old.expiresAtMs));
  const { grant, limits, meterId } = old.access;
  const plan = { name: old.name, ownerId: old.ownerId, grant, limits, expiresInMs: lifeMs };
  const fresh = recordOf(minted, plan, nowMs);
  const record = sealed(needs, { ...fresh, access: { grant, limits, meterId } });
  const endsAtMs = after(nowMs, overlapMs);
  const expiresAtMs = old.expiresAtMs === null || old.expiresAtMs > endsAtMs ? endsAtMs : old.expiresAtMs;
  const superseded = sealed(needs, { ...old, expiresAtMs, rotatedTo: record.id });
  const changed = await changes.change(
    {
      ...auditOf("KEY004I", record),
      before: { id: old.id, expiresAtMs: old.expiresAtMs },
      after: { oldExpiresAtMs: expiresAtMs, expiresAtMs: record.expiresAtMs },
    },
    async ({ clientKeys }) => {
      const isThere = await clientKeys.supersede(superseded);
      return isThere ? clientKeys.insert(record) : err("name_taken");
    },
  );
  if (!changed.ok) return cannot("key_not_active", "it was changed at the same time");
  for (const each of [superseded, record]) {
    known.set(each.id, each);
    admit(each);
  }
  return ok({ id: record.id, name: record.name, disclose: () => mint.disclose(minted) });
}

/** By name: also a key that it took the place of and that is still in its overlap. The verifier refuses it first. */
export async function revokeKey(
  needs: KeyChangeNeeds,
  nameOrId: string,
  filter: KeyFilter,
): Promise<Result<ClientKeyRecord, Refusal>> {
  const { ring, known, clock } = needs;
  const record = findKey(known, nameOrId, filter);
  if (record === null) return err(noSuchKey("revoke", nameOrId));
  if (record.revokedAtMs !== null) {
    return err(refusal("key_already_revoked", `Cannot revoke key ${shown(nameOrId)}: it is revoked already`));
  }
  const nowMs = clock.now();
  const before = nameOrId === record.id ? [] : [...known.values()].filter((each) => each.rotatedTo === record.id);
  const leaving = [record, ...before.filter(({ revokedAtMs }) => revokedAtMs === null)];
  // The verifier first: a store that fails must not keep a leaked key alive in this process.
  for (const { id } of leaving) ring.remove(id);
  for (const each of leaving) await storeRevoked(needs, sealed(needs, { ...each, revokedAtMs: nowMs }));
  return ok(known.get(record.id) ?? record);
}

async function storeRevoked({ changes, known }: KeyChangeNeeds, revoked: ClientKeyRecord): Promise<void> {
  await changes.change(
    { ...auditOf("KEY002I", revoked), after: { revokedAtMs: revoked.revokedAtMs } },
    ({ clientKeys }) => clientKeys.revoke(revoked),
  );
  known.set(revoked.id, revoked);
}

function recordOf(minted: MintedKey, plan: KeyPlan, nowMs: EpochMs): ClientKeyRecord {
  return {
    id: minted.id,
    name: plan.name,
    hmac: minted.hmac,
    pepperVersion: minted.pepperVersion,
    ownerId: plan.ownerId,
    access: { grant: plan.grant, limits: plan.limits, meterId: minted.id },
    createdAtMs: nowMs,
    revokedAtMs: null,
    expiresAtMs: plan.expiresInMs === null ? null : after(nowMs, plan.expiresInMs),
    lastUsedAtMs: null,
    rotatedTo: null,
    seal: null,
  };
}

export function sealed({ seals }: Pick<KeyChangeNeeds, "seals">, record: ClientKeyRecord): ClientKeyRecord {
  return { ...record, seal: seals.seal(record) };
}

export function auditOf(code: AuditDraft["code"], { id, name }: ClientKeyRecord): AuditDraft {
  return { code, actor: currentActor(), object: { type: "client_key", id, name } };
}

/** By id, else by name. Another owner's key is as little there as one that does not exist. */
export function findKey(known: KnownKeys, nameOrId: string, { ownerId }: KeyFilter): ClientKeyRecord | null {
  let named: ClientKeyRecord | null = null;
  for (const record of known.values()) {
    if (ownerId !== undefined && record.ownerId !== ownerId) continue;
    if (record.id === nameOrId) return record;
    // A revoked key frees its name: the key that holds the name now is the one that is meant.
    if (record.name === nameOrId && (named === null || isCurrent(record))) named = record;
  }
  return named;
}

/** Does it hold its name? */
function isCurrent({ revokedAtMs, rotatedTo }: ClientKeyRecord): boolean {
  return revokedAtMs === null && rotatedTo === null;
}

export function noSuchKey(doing: string, nameOrId: string): Refusal {
  return refusal("key_not_found", `Cannot ${doing} key ${shown(nameOrId)}: no key has this name or id`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function nameTaken(name: string): Refusal {
  return refusal("name_taken", `Cannot create key "${name}": another key has this name`, "name");
}
