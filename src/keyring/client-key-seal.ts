import { timingSafeEqual } from "node:crypto";
import type { ClientKeyRecord, KeySeals } from "../control/ports.ts";
import type { Keyring } from "./keyring.ts";

/** Keeps a seal from being anything else that the same pepper makes. */
const PURPOSE = "row of a client key, 1";

/** HMAC-SHA-256 under the pepper of the key itself, so that both live and die with it. */
export function createClientKeySeals(keyring: Keyring): KeySeals {
  const sealOf = (record: ClientKeyRecord): Buffer | null => {
    const mac = keyring.macs("apikey-pepper").find(({ version }) => version === record.pepperVersion);
    return mac === undefined ? null : mac.digest(textOf(record));
  };
  return {
    // A row of an unknown pepper opens nothing: it needs no seal that could be checked.
    seal: (record) => sealOf(record) ?? new Uint8Array(0),
    isGenuine(record) {
      const expected = sealOf(record);
      const { seal } = record;
      return expected !== null && seal !== null && seal.length === expected.length && timingSafeEqual(seal, expected);
    },
  };
}

/** JSON of a list: no two records share one. What the ledger writes beside the gateway (`lastUsedAtMs`) is left out. */
function textOf(record: ClientKeyRecord): string {
  const { access } = record;
  const { grant, limits } = access;
  return JSON.stringify([
    PURPOSE,
    record.id,
    record.name,
    Buffer.from(record.hmac).toString("hex"),
    record.pepperVersion,
    record.ownerId,
    grant.scopes,
    grant.models,
    grant.networks?.map(({ text }) => text) ?? null,
    [limits.requestsPerMinute, limits.inputTokensPerMinute, limits.outputTokensPerMinute, limits.concurrency],
    access.meterId,
    record.createdAtMs,
    record.revokedAtMs,
    record.expiresAtMs,
    record.rotatedTo,
  ]);
}
