import { err, ok, type Result } from "../kernel/result.ts";
import type { AuditedChanges } from "./audit-port.ts";
import { selfFor } from "./authority.ts";
import { hashPassword } from "./new-user.ts";
import { passwordProof } from "./password-proof.ts";
import type { OpenedSession } from "./people.ts";
import type { PeopleStores } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import type { Proofs } from "./proof-ports.ts";
import { actorOf, CREDENTIALS_REFUSED, objectOf, type Proving, type Span } from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { prepareSession, sessionOf } from "./session-opening.ts";
import type { RunningSessions } from "./sessions.ts";
import { updated } from "./user-changing.ts";

type OwnPasswordNeeds = {
  readonly stores: PeopleStores;
  readonly changes: AuditedChanges;
  readonly proofs: Proofs;
  readonly proving: Proving;
  readonly sessions: RunningSessions;
  readonly clock: ControlClock;
};

type OwnPasswords = {
  readonly current: string;
  readonly next: string;
  readonly ip: string | null;
  readonly span: Span;
};

export async function changeOwnPassword(
  needs: OwnPasswordNeeds,
  principal: Principal,
  { current, next, ip, span }: OwnPasswords,
): Promise<Result<OpenedSession, Refusal>> {
  const doing = "change your password";
  const { stores, proofs, proving, clock } = needs;
  const self = await selfFor({ principal, doing, nowMs: clock.now() }, false, stores.users);
  if (!self.ok) return self;
  const session = await sessionOf(principal, stores.sessions);
  if (session === null) return err(refusal("forbidden", `Cannot ${doing}: only who is logged in can; log in`));
  const find = async () => {
    const user = await stores.users.read(self.value.id);
    const isKnown = (await stores.signIns.deviceUser(session.deviceHash)) === self.value.id;
    return user === null ? null : { user, deviceHash: isKnown ? session.deviceHash : null };
  };
  const proven = await proving.attempt({ code: "USR005E", ip, span, name: null, find }, async (candidate) =>
    passwordProof(needs, candidate?.user ?? null, current),
  );
  if (!proven.ok) return proven;
  const { user } = proven.value;
  const hasMfa = user.totpSeed !== null;
  const hashed = await hashPassword(proofs.passwords, doing, { password: next, name: user.name, hasMfa });
  if (!hashed.ok) return hashed;
  const prepared = prepareSession(
    { tokens: proofs.tokens, clock },
    { user: { ...user, mustChangePassword: false }, ip, replaces: null, continues: session, isProvenNow: false },
  );
  const draft = { code: "USR005I", actor: actorOf(user, ip), object: objectOf(user) } as const;
  const ended = await needs.changes.change(draft, async ({ people }): Promise<Result<readonly string[], Refusal>> => {
    const now = await people.users.read(user.id);
    const isSame = now !== null && now.passwordHash === user.passwordHash && now.disabledAtMs === null;
    if (!isSame || (await sessionOf(principal, people.sessions)) === null) return err(CREDENTIALS_REFUSED);
    await proving.forgive(people.signIns, proven.value);
    await people.signIns.forgetDevicesOf(user.id);
    const changed = await updated(
      { people, target: now },
      { ...hashed.value, passwordUntilMs: null, mustChangePassword: false },
    );
    await prepared.store(people);
    return changed.ok ? ok(changed.value.endedSessions) : changed;
  });
  if (!ended.ok) return ended;
  needs.sessions.ended(ended.value);
  return ok(prepared.opened);
}
