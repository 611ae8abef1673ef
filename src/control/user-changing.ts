import { isGranted, type Permission } from "../domain/access/permission.ts";
import { parseUserId, type UserId } from "../domain/access/user-id.ts";
import { canonicalUserName } from "../domain/access/user-name.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { currentActor } from "./acting.ts";
import type { AuditCode } from "./audit-codes.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import { type Actor, actorFor } from "./authority.ts";
import type { Lanes } from "./lanes.ts";
import type { OnUserChanged, PeopleStores, StoredUser } from "./people-ports.ts";
import type { ControlClock } from "./ports.ts";
import type { Principal } from "./principal.ts";
import { type Refusal, refusal } from "./refusal.ts";
import type { RunningSessions } from "./sessions.ts";

export type UserChange = {
  readonly principal: Principal;
  /** Completes "Cannot ...", e.g. "disable user". */
  readonly doing: string;
  readonly code: AuditCode;
  readonly permission: Permission;
  readonly nameOrId: string;
  readonly before?: (target: StoredUser) => NonNullable<AuditDraft["before"]>;
  readonly after?: NonNullable<AuditDraft["after"]>;
};

/** What the work found, inside its transaction. `doing` names the user. */
export type Changing = {
  readonly people: PeopleStores;
  readonly actor: Actor;
  readonly target: StoredUser;
  readonly doing: string;
};

export type UserChanger = {
  /** One after the other, so that each sees what the one before did: the last owner, the role just taken away. */
  change(
    change: UserChange,
    work: (found: Changing) => Promise<Result<Changed, Refusal>>,
  ): Promise<Result<StoredUser, Refusal>>;
  find(nameOrId: string): Promise<StoredUser | null>;
};

/** `user`: as it is now, null when it is gone. */
export type Changed = { readonly user: StoredUser | null; readonly endedSessions: readonly string[] };

export type UserChangerNeeds = {
  readonly stores: PeopleStores;
  readonly changes: AuditedChanges;
  readonly sessions: RunningSessions;
  readonly lanes: Lanes;
  readonly clock: ControlClock;
  readonly onUserChanged: OnUserChanged;
};

export function createUserChanger(needs: UserChangerNeeds): UserChanger {
  const find = (nameOrId: string) => findUser(needs.stores, nameOrId);
  return {
    find,
    async change(change, work) {
      const done = await needs.lanes.run("users", () => changeInTurn(needs, change, work));
      if (!done.ok)
        return err(refusal("busy", `Cannot ${change.doing}: too many changes wait already; try again in some seconds`));
      return done.value;
    },
  };
}

async function changeInTurn(
  needs: UserChangerNeeds,
  change: UserChange,
  work: (found: Changing) => Promise<Result<Changed, Refusal>>,
): Promise<Result<StoredUser, Refusal>> {
  const { principal, code, permission, nameOrId, before, after } = change;
  const target = await findUser(needs.stores, nameOrId);
  const doing = `${change.doing} ${JSON.stringify(nameOrId.slice(0, 80))}`;
  const draft: AuditDraft = {
    code,
    actor: currentActor(),
    object:
      target === null
        ? { type: "user", id: "unknown", name: null }
        : { type: "user", id: target.id, name: target.name },
    ...(before && target !== null && { before: before(target) }),
    ...(after && { after }),
  };
  const changed = await needs.changes.change(draft, async ({ people }): Promise<Result<Changed, Refusal>> => {
    const actor = await actorFor({ principal, doing, nowMs: needs.clock.now() }, permission, people.users);
    if (!actor.ok) return actor;
    if (target === null) return err(refusal("user_not_found", `Cannot ${doing}: no user has this name or id`));
    return work({ people, actor: actor.value, target, doing });
  });
  if (!changed.ok) return changed;
  const { user, endedSessions } = changed.value;
  needs.sessions.ended(endedSessions);
  const known = user ?? target;
  if (known === null) throw new Error("Cannot tell of a changed user: there was none");
  await needs.onUserChanged(known.id, { mayUseProxy: user !== null && mayUseProxy(user) });
  return ok(known);
}

/** Being locked out takes no client key away: strangers could do that to anybody. */
export function mayUseProxy({ role, disabledAtMs }: StoredUser): boolean {
  return disabledAtMs === null && isGranted(role, "proxy.use");
}

/** By id, else by name. */
async function findUser({ users }: PeopleStores, nameOrId: string): Promise<StoredUser | null> {
  const id: UserId | null = parseUserId(nameOrId);
  if (id !== null) return users.read(id);
  const name = canonicalUserName(nameOrId);
  return name === null ? null : users.byName(name);
}

/** Whatever changes what a user may do, or proves itself with, ends all its sessions. */
export async function updated(
  { people, target }: Pick<Changing, "people" | "target">,
  changes: Parameters<PeopleStores["users"]["update"]>[1],
): Promise<Result<Changed, Refusal>> {
  await people.users.update(target.id, changes);
  return ok({ user: { ...target, ...changes }, endedSessions: await people.sessions.endAllOf(target.id) });
}

export function reportNameTaken(doing: string, name: string): Refusal {
  return refusal("name_taken", `Cannot ${doing}: another user has the name "${name}"`, "name");
}
