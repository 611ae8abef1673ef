import { needsSecondFactor } from "../domain/access/role.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { durationMs, type EpochMs, elapsed } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import { selfFor } from "./authority.ts";
import type { ConfirmedTotp, FactorService, OpenedSession } from "./people.ts";
import type { PeopleStores, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import type { Proofs } from "./proof-ports.ts";
import { objectOf } from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { prepareSession, sessionOf } from "./session-opening.ts";
import type { RunningSessions } from "./sessions.ts";

/** An enrolment that nobody confirms is forgotten. */
const PENDING_MS = durationMs(10 * 60_000);
const MAX_PENDING = 1_000;
/** More wrong codes than this, and it has to be begun anew. */
const MAX_WRONG_CODES = 5;

export type FactorNeeds = {
  readonly stores: PeopleStores;
  readonly changes: AuditedChanges;
  readonly proofs: Proofs;
  readonly sessions: RunningSessions;
  readonly clock: ControlClock;
};

/** A seed that nobody has proven yet. It is in memory alone, and belongs to the session that asked for it. */
type Pending = { readonly sealed: Uint8Array; readonly beganAtMs: EpochMs; wrongCodes: number };

export function createFactorService(needs: FactorNeeds): FactorService {
  const pending = new Map<string, Pending>();
  return {
    beginTotp: (principal) => beginTotp(needs, pending, principal),
    confirmTotp: (principal, code, ip) => confirmTotp(needs, pending, { principal, code, ip }),
    removeTotp: (principal, ip) => removeTotp(needs, principal, ip),
    newRecoveryCodes: (principal) => newRecoveryCodes(needs, principal),
  };
}

type PendingSeeds = Map<string, Pending>;

async function beginTotp(
  { stores, proofs, clock }: FactorNeeds,
  pending: PendingSeeds,
  principal: Principal,
): Promise<Result<{ readonly uri: string; readonly secret: string }, Refusal>> {
  const doing = "set up a second factor";
  const nowMs = clock.now();
  const user = await selfFor({ principal, doing, nowMs }, true, stores.users);
  if (!user.ok) return user;
  const { uri, secret, sealed } = proofs.totp.enrol(user.value.id, user.value.name);
  for (const [id, { beganAtMs }] of pending) {
    if (elapsed(beganAtMs, nowMs) >= PENDING_MS || pending.size >= MAX_PENDING) pending.delete(id);
  }
  pending.set(sessionIdOf(principal), { sealed, beganAtMs: nowMs, wrongCodes: 0 });
  return ok({ uri, secret });
}

type Confirming = { readonly principal: Principal; readonly code: string; readonly ip: string | null };

async function confirmTotp(
  needs: FactorNeeds,
  pending: PendingSeeds,
  { principal, code, ip }: Confirming,
): Promise<Result<ConfirmedTotp, Refusal>> {
  const doing = "turn the second factor on";
  const { stores, proofs, clock } = needs;
  const nowMs = clock.now();
  const found = await selfFor({ principal, doing, nowMs }, false, stores.users);
  if (!found.ok) return found;
  const user = found.value;
  const sessionId = sessionIdOf(principal);
  const seed = pending.get(sessionId);
  if (seed === undefined || elapsed(seed.beganAtMs, nowMs) >= PENDING_MS) {
    pending.delete(sessionId);
    return err(refusal("factor_missing", `Cannot ${doing}: none is being set up in this session; begin again`));
  }
  const step = proofs.totp.check(user.id, seed.sealed, code, null, nowMs);
  if (step === null) {
    seed.wrongCodes += 1;
    if (seed.wrongCodes >= MAX_WRONG_CODES) pending.delete(sessionId);
    return err(
      refusal(
        "code_refused",
        `Cannot ${doing}: the code is not of this seed and time; check the clock of both`,
        "code",
      ),
    );
  }
  // Taken before anything is awaited: of two confirmations one wins.
  pending.delete(sessionId);
  const made = proofs.recoveryCodes.make();
  const session = await changeFactor(needs, { user, ip, principal, code: "MFA001I", doing }, async (people) => {
    await people.users.update(user.id, { totpSeed: seed.sealed, totpLastStep: step });
    await people.users.setRecoveryCodes(user.id, made.macs);
    return { ...user, totpSeed: seed.sealed };
  });
  return session.ok ? ok({ recoveryCodes: made.shown, session: session.value }) : session;
}

async function removeTotp(
  needs: FactorNeeds,
  principal: Principal,
  ip: string | null,
): Promise<Result<OpenedSession, Refusal>> {
  const doing = "turn the second factor off";
  const found = await selfFor({ principal, doing, nowMs: needs.clock.now() }, true, needs.stores.users);
  if (!found.ok) return found;
  const user = found.value;
  if (user.totpSeed === null) return err(factorMissing(doing));
  return changeFactor(needs, { user, ip, principal, code: "MFA002I", doing }, async (people) => {
    const mustChangePassword = user.mustChangePassword || user.isPasswordShort;
    await people.users.update(user.id, { totpSeed: null, totpLastStep: null, mustChangePassword });
    await people.users.setRecoveryCodes(user.id, []);
    return { ...user, totpSeed: null, mustChangePassword };
  });
}

async function newRecoveryCodes(
  { stores, changes, proofs, clock }: FactorNeeds,
  principal: Principal,
): Promise<Result<readonly string[], Refusal>> {
  const doing = "make new recovery codes";
  const found = await selfFor({ principal, doing, nowMs: clock.now() }, true, stores.users);
  if (!found.ok) return found;
  const user = found.value;
  const made = proofs.recoveryCodes.make();
  const draft: AuditDraft = {
    code: "MFA003I",
    actor: currentActor(),
    object: objectOf(user),
    after: { count: made.macs.length },
  };
  return changes.change(draft, async ({ people }): Promise<Result<readonly string[], Refusal>> => {
    if ((await people.users.read(user.id))?.totpSeed == null) return err(factorMissing(doing));
    await people.users.setRecoveryCodes(user.id, made.macs);
    return ok(made.shown);
  });
}

type FactorChange = {
  readonly user: StoredUser;
  readonly ip: string | null;
  readonly principal: Principal;
  readonly code: "MFA001I" | "MFA002I";
  readonly doing: string;
};

/** All sessions end and one begins anew, in the transaction of the change. */
async function changeFactor(
  needs: FactorNeeds,
  { user, ip, principal, code, doing }: FactorChange,
  work: (people: PeopleStores) => Promise<StoredUser>,
): Promise<Result<OpenedSession, Refusal>> {
  const draft: AuditDraft = { code, actor: currentActor(), object: objectOf(user) };
  type Done = { readonly opened: OpenedSession; readonly ended: readonly string[] };
  const done = await needs.changes.change(draft, async ({ people }): Promise<Result<Done, Refusal>> => {
    const now = await people.users.read(user.id);
    const session = await sessionOf(principal, people.sessions);
    if (now === null || now.disabledAtMs !== null || session === null) {
      return err(refusal("session_not_found", `Cannot ${doing}: your session has ended; log in again`));
    }
    if (code === "MFA002I" && needsSecondFactor(now.role)) {
      return err(refusal("factor_required", `Cannot ${doing}: an ${now.role} needs one; set up a new one instead`));
    }
    const changed = await work(people);
    await people.signIns.forgetDevicesOf(user.id);
    const ended = await people.sessions.endAllOf(user.id);
    const opening = { user: changed, ip, replaces: null, continues: session, isProvenNow: false };
    const prepared = prepareSession({ tokens: needs.proofs.tokens, clock: needs.clock }, opening);
    await prepared.store(people);
    return ok({ opened: prepared.opened, ended });
  });
  if (!done.ok) return done;
  needs.sessions.ended(done.value.ended);
  return ok(done.value.opened);
}

/** Empty for what is no session: then nothing is pending. */
function sessionIdOf(principal: Principal): string {
  return principal.kind === "user" && principal.via.kind === "session" ? principal.via.sessionId : "";
}

function factorMissing(doing: string): Refusal {
  return refusal("factor_missing", `Cannot ${doing}: you have none`);
}
