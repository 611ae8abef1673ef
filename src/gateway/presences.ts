import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import { type KeyMeter, leave, type TokenHold } from "../domain/access/key-limits.ts";
import type { Call } from "./call.ts";
import type { Caller } from "./ports.ts";
import type { Refusal } from "./refusal.ts";

/** One request of a key, from the check of the key to the last byte of the answer. */
export type Presence = {
  readonly call: Call;
  readonly caller: Caller;
  /** Has counted the request as running. */
  readonly meter: KeyMeter;
  /** Tokens taken from the key's limits and not settled. */
  held: TokenHold | null;
  /** The key was revoked while the request ran. */
  isRevoked: boolean;
  /** Ends the answer that is being relayed, visibly. Null while there is none. */
  endAnswer: (() => void) | null;
};

/** Every request that runs, by its key, so that a key that is revoked takes its requests along (security.md D6). */
export interface Presences {
  /** In the same turn as the check of the key: a key that is revoked in between would be overlooked. */
  enter(call: Call, caller: Caller, meter: KeyMeter): Presence;
  /** Idempotent. */
  leave(presence: Presence): void;
  /** How many requests of the key run. */
  countOf(keyId: ClientKeyId): number;
  /** Answers end now and visibly; what waits, in the queue or for upstream, is refused now. */
  revoked(keyId: ClientKeyId): void;
}

export function createPresences(): Presences {
  const byKey = new Map<ClientKeyId, Set<Presence>>();
  return {
    // hot path
    enter(call, caller, meter) {
      const presence: Presence = { call, caller, meter, held: null, isRevoked: false, endAnswer: null };
      const known = byKey.get(caller.keyId);
      if (known === undefined) byKey.set(caller.keyId, new Set([presence]));
      else known.add(presence);
      return presence;
    },
    // hot path
    leave(presence) {
      const { keyId } = presence.caller;
      const known = byKey.get(keyId);
      if (known?.delete(presence) !== true) return;
      leave(presence.meter);
      if (known.size === 0) byKey.delete(keyId);
    },
    countOf: (keyId) => byKey.get(keyId)?.size ?? 0,
    revoked(keyId) {
      for (const presence of [...(byKey.get(keyId) ?? [])]) {
        presence.isRevoked = true;
        presence.endAnswer?.();
        presence.call.abandon();
      }
    },
  };
}

export const KEY_REVOKED: Refusal = {
  code: "GW_KEY_REVOKED",
  message: "Cannot go on with the request: its client key was revoked while it ran",
};
