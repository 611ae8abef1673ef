import type { AuditedChanges } from "./control/audit-port.ts";
import { createKeyService, type KeyService } from "./control/keys.ts";
import type { KeyRing } from "./control/ports.ts";
import { mayUseProxy } from "./control/user-changing.ts";
import type { UserId } from "./domain/access/user-id.ts";
import { createClientKeyMint } from "./keyring/client-key-mint.ts";
import { createClientKeySeals } from "./keyring/client-key-seal.ts";
import type { Keyring } from "./keyring/keyring.ts";
import type { Log } from "./observe/log.ts";
import type { Storage } from "./storage/storage.ts";
import { systemClock } from "./system-clock.ts";

type Needs = {
  readonly storage: Pick<Storage, "clientKeys" | "settings">;
  readonly audit: { readonly changes: AuditedChanges };
  readonly keyring: Keyring;
  readonly log: Log;
};

export function openKeys({ storage, audit, keyring, log }: Needs, ring: KeyRing): KeyService {
  return createKeyService({
    store: storage.clientKeys,
    changes: audit.changes,
    mint: createClientKeyMint(keyring),
    ring,
    settings: storage.settings,
    seals: createClientKeySeals(keyring),
    clock: systemClock,
    onForeignRow: ({ id }) =>
      log.error("A client key was changed outside the gateway and is refused", { clientKey: id }),
  });
}

/** Of every user, by what is stored: may their client keys be used? A user who was removed may not. */
export async function ownersOf(people: Storage["people"]): Promise<(owner: UserId) => boolean> {
  const allowed = new Set((await people.users.list()).filter(mayUseProxy).map(({ id }) => id));
  return (owner) => allowed.has(owner);
}
