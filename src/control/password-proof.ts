import { err, ok } from "../kernel/result.ts";
import type { AuditedChanges } from "./audit-port.ts";
import type { LoginAttempt } from "./people.ts";
import type { PeopleStores, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Proofs } from "./proof-ports.ts";
import { actorOf, type Checked, objectOf } from "./proving.ts";

export type PasswordNeeds = {
  readonly stores: Pick<PeopleStores, "users">;
  readonly proofs: Proofs;
  readonly changes: AuditedChanges;
  readonly clock: ControlClock;
};

/** Takes the same time when there is no user, and no answer for a password that has run out. */
export async function passwordProof(
  { proofs, clock }: PasswordNeeds,
  user: StoredUser | null,
  password: string,
): Promise<Checked<{ readonly isOutdated: boolean }>> {
  const isOver = user !== null && user.passwordUntilMs !== null && user.passwordUntilMs <= clock.now();
  const verified = await proofs.passwords.verify(password, user === null || isOver ? null : user.passwordHash);
  if (!verified.ok) return verified;
  return verified.value.matches ? ok({ isOutdated: verified.value.isOutdated }) : err("wrong");
}

/** Who was locked out by 100 failures gives a recovery code as the password, once: from then on the password counts again. */
export async function liftLockOut(
  { stores, proofs, changes }: PasswordNeeds,
  name: string | null,
  input: LoginAttempt,
): Promise<void> {
  const macs = proofs.recoveryCodes.macs(input.password);
  const user = name === null || macs === null ? null : await stores.users.byName(name);
  if (user === null || macs === null || user.lockedOutAtMs === null || user.disabledAtMs !== null) return;
  await changes.change(
    { code: "AUT007I", actor: actorOf(user, input.ip), object: objectOf(user) },
    async ({ people }) => {
      if (!(await people.users.useRecoveryCode(user.id, macs))) return err("wrong");
      await people.users.update(user.id, { lockedOutAtMs: null });
      await people.signIns.clearThrottlesOf(user.id);
      return ok(undefined);
    },
  );
}

export async function rehash({ stores, proofs }: PasswordNeeds, user: StoredUser, password: string): Promise<void> {
  const hashed = await proofs.passwords.hash(password);
  // Busy: the next login does it.
  if (hashed.ok) await stores.users.rehash(user.id, user.passwordHash, hashed.value);
}
