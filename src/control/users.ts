import type { Role } from "../domain/access/role.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { after, type DurationMs, durationMs } from "../kernel/time.ts";
import { currentActor } from "./acting.ts";
import { actorFor, requireAbove, requireAssignable, requireOther } from "./authority.ts";
import { draftUser, hashPassword } from "./new-user.ts";
import { changeOwnPassword } from "./own-password.ts";
import type { NewUser, UserReport, UserService } from "./people.ts";
import type { PeopleStores, StoredUser } from "./people-ports.ts";
import type { Principal } from "./principal.ts";
import type { Proofs } from "./proof-ports.ts";
import { objectOf, type Proving } from "./proving.ts";
import { type Refusal, refusal } from "./refusal.ts";
import {
  createUserChanger,
  reportNameTaken,
  type UserChanger,
  type UserChangerNeeds,
  updated,
} from "./user-changing.ts";

/** A password that somebody else knows is good for so long. */
const GIVEN_PASSWORD_MS: DurationMs = durationMs(24 * 3_600_000);
const MAX_USERS = 10_000;

export type UserNeeds = UserChangerNeeds & {
  readonly proofs: Proofs;
  readonly proving: Proving;
  readonly newUserId: () => UserId;
  /** There is an owner from now on, perhaps the first one. */
  readonly onOwner: () => Promise<void>;
};

export function createUserService(needs: UserNeeds): UserService {
  const changer = createUserChanger(needs);
  return {
    async list(principal) {
      const actor = await actorFor(
        { principal, doing: "list users", nowMs: needs.clock.now() },
        "users.read",
        needs.stores.users,
      );
      return actor.ok ? ok((await needs.stores.users.list()).map(reportOf)) : actor;
    },
    create: (principal, draft) => createUser(needs, principal, draft),
    setRole: (principal, nameOrId, role) => setRole(needs, changer, { principal, nameOrId, role }),
    disable: (principal, nameOrId) => report(disable(needs, changer, { principal, nameOrId })),
    enable: (principal, nameOrId) => report(enable(changer, { principal, nameOrId })),
    setPassword: (principal, nameOrId, password) => setPassword(needs, changer, { principal, nameOrId, password }),
    changeOwnPassword: (principal, passwords, ip) =>
      needs.proving.inOneSpan((span) => changeOwnPassword(needs, principal, { ...passwords, ip, span })),
    resetMfa: (principal, nameOrId) => report(resetMfa(changer, { principal, nameOrId })),
    endSessions: (principal, nameOrId) => report(endSessions(changer, { principal, nameOrId })),
    async remove(principal, nameOrId) {
      const removed = await remove(changer, { principal, nameOrId });
      return removed.ok ? ok(undefined) : removed;
    },
  };
}

type Asked = { readonly principal: Principal; readonly nameOrId: string };

async function createUser(
  needs: UserNeeds,
  principal: Principal,
  draft: NewUser,
): Promise<Result<UserReport, Refusal>> {
  const doing = "add user";
  const { stores, changes, proofs, clock } = needs;
  const nowMs = clock.now();
  const asking = { principal, doing, nowMs };
  // Before the password is hashed: who may not ask must not cost that either.
  const early = await actorFor(asking, "users.write", stores.users);
  const passwordUntilMs = after(nowMs, GIVEN_PASSWORD_MS);
  const { name, role, password } = draft;
  const user = early.ok
    ? await draftUser(proofs.passwords, doing, { id: needs.newUserId(), name, role, password, passwordUntilMs, nowMs })
    : early;
  const object = user.ok ? objectOf(user.value) : { type: "user", id: "unknown", name: null };
  const audit = { code: "USR001I", actor: currentActor(), object, after: { role } } as const;
  const added = await changes.change(audit, async ({ people }): Promise<Result<StoredUser, Refusal>> => {
    if (!user.ok) return user;
    const actor = await actorFor(asking, "users.write", people.users);
    if (!actor.ok) return actor;
    const assignable = requireAssignable(actor.value, role, doing);
    if (!assignable.ok) return assignable;
    if ((await people.users.count()) >= MAX_USERS) {
      return err(refusal("too_many_users", `Cannot ${doing}: there are ${MAX_USERS} already; remove some`));
    }
    const inserted = await people.users.insert(user.value);
    return inserted.ok ? user : err(reportNameTaken(doing, user.value.name));
  });
  if (!added.ok) return added;
  if (role === "owner") await needs.onOwner();
  return ok(reportOf(added.value));
}

async function setRole(
  needs: UserNeeds,
  changer: UserChanger,
  { principal, nameOrId, role }: Asked & { readonly role: Role },
): Promise<Result<UserReport, Refusal>> {
  const changed = await changer.change(
    {
      principal,
      nameOrId,
      doing: "change the role of user",
      code: "USR002I",
      permission: "roles.assign",
      before: (target) => ({ role: target.role }),
      after: { role },
    },
    async ({ people, actor, target, doing }) => {
      const allowed = firstRefusal(requireAbove(actor, target, doing), requireAssignable(actor, role, doing));
      if (!allowed.ok) return allowed;
      const isOwnerLost = role !== "owner" && (await isLastOwner(people, target));
      if (isOwnerLost) return err(lastOwner(doing));
      return updated({ people, target }, { role });
    },
  );
  if (!changed.ok) return changed;
  if (role === "owner") await needs.onOwner();
  return ok(reportOf(changed.value));
}

function disable(needs: UserNeeds, changer: UserChanger, asked: Asked): Promise<Result<StoredUser, Refusal>> {
  const change = { ...asked, doing: "disable user", code: "USR003I", permission: "users.write" } as const;
  return changer.change(change, async ({ people, actor, target, doing }) => {
    const allowed = requireAbove(actor, target, doing);
    if (!allowed.ok) return allowed;
    if (await isLastOwner(people, target)) return err(lastOwner(doing));
    await people.signIns.forgetDevicesOf(target.id);
    return updated({ people, target }, { disabledAtMs: target.disabledAtMs ?? needs.clock.now() });
  });
}

function enable(changer: UserChanger, asked: Asked): Promise<Result<StoredUser, Refusal>> {
  const change = { ...asked, doing: "enable user", code: "USR004I", permission: "users.write" } as const;
  return changer.change(change, async ({ people, actor, target, doing }) => {
    const allowed = requireAbove(actor, target, doing);
    if (!allowed.ok) return allowed;
    await people.signIns.clearThrottlesOf(target.id);
    return updated({ people, target }, { disabledAtMs: null, lockedOutAtMs: null });
  });
}

async function setPassword(
  needs: UserNeeds,
  changer: UserChanger,
  { password, ...asked }: Asked & { readonly password: string },
): Promise<Result<UserReport, Refusal>> {
  const change = { ...asked, doing: "give a password to user", code: "USR006I", permission: "users.write" } as const;
  const early = await actorFor(
    { ...asked, doing: change.doing, nowMs: needs.clock.now() },
    "users.write",
    needs.stores.users,
  );
  const known = await changer.find(asked.nameOrId);
  const chosen = { password, name: known?.name ?? asked.nameOrId, hasMfa: false };
  const hashed = early.ok ? await hashPassword(needs.proofs.passwords, change.doing, chosen) : early;
  return report(
    changer.change(change, async ({ people, actor, target, doing }) => {
      const own = requireOther(actor, target, [doing, "change it with your current one"]);
      const allowed = firstRefusal(own, requireAbove(actor, target, doing));
      if (!allowed.ok) return allowed;
      if (!hashed.ok) return hashed;
      await people.signIns.forgetDevicesOf(target.id);
      const passwordUntilMs = after(needs.clock.now(), GIVEN_PASSWORD_MS);
      return updated({ people, target }, { ...hashed.value, passwordUntilMs, mustChangePassword: true });
    }),
  );
}

function resetMfa(changer: UserChanger, asked: Asked): Promise<Result<StoredUser, Refusal>> {
  const doing = "take the second factor away from user";
  const change = { ...asked, doing, code: "USR007I", permission: "users.write" } as const;
  return changer.change(change, async ({ people, actor, target, doing: named }) => {
    const own = requireOther(actor, target, [named, "turn it off, or set up a new one, yourself"]);
    if (!own.ok) return own;
    if (actor.role !== "owner") return err(refusal("forbidden", `Cannot ${named}: only an owner may`));
    await people.users.setRecoveryCodes(target.id, []);
    await people.signIns.forgetDevicesOf(target.id);
    const mustChangePassword = target.mustChangePassword || target.isPasswordShort;
    return updated({ people, target }, { totpSeed: null, totpLastStep: null, mustChangePassword });
  });
}

function endSessions(changer: UserChanger, asked: Asked): Promise<Result<StoredUser, Refusal>> {
  const change = { ...asked, doing: "end the sessions of user", code: "AUT005I", permission: "users.write" } as const;
  return changer.change(change, async ({ people, actor, target, doing }) => {
    const allowed = requireAbove(actor, target, doing);
    if (!allowed.ok) return allowed;
    return ok({ user: target, endedSessions: await people.sessions.endAllOf(target.id) });
  });
}

function remove(changer: UserChanger, asked: Asked): Promise<Result<StoredUser, Refusal>> {
  const change = { ...asked, doing: "remove user", code: "USR008I", permission: "users.write" } as const;
  return changer.change(change, async ({ people, actor, target, doing }) => {
    const allowed = requireAbove(actor, target, doing);
    if (!allowed.ok) return allowed;
    if (await isLastOwner(people, target)) return err(lastOwner(doing));
    const endedSessions = await people.sessions.endAllOf(target.id);
    await people.users.remove(target.id);
    return ok({ user: null, endedSessions });
  });
}

async function isLastOwner({ users }: PeopleStores, target: StoredUser): Promise<boolean> {
  return target.role === "owner" && target.disabledAtMs === null && (await users.ownerCount()) <= 1;
}

function lastOwner(doing: string): Refusal {
  return refusal("last_owner", `Cannot ${doing}: nobody else is an owner; make another user an owner first`);
}

function firstRefusal(...results: readonly Result<void, Refusal>[]): Result<void, Refusal> {
  return results.find((result) => !result.ok) ?? ok(undefined);
}

async function report(changed: Promise<Result<StoredUser, Refusal>>): Promise<Result<UserReport, Refusal>> {
  const result = await changed;
  return result.ok ? ok(reportOf(result.value)) : result;
}

function reportOf(user: StoredUser): UserReport {
  return {
    id: user.id,
    name: user.name,
    role: user.role,
    state: user.disabledAtMs !== null ? "disabled" : user.lockedOutAtMs !== null ? "locked_out" : "active",
    hasTotp: user.totpSeed !== null,
    mustChangePassword: user.mustChangePassword,
    createdAtMs: user.createdAtMs,
    lastLoginAtMs: user.lastLoginAtMs,
  };
}
