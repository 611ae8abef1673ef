import { expect, setDefaultTimeout, test } from "bun:test";
import { ROLES, type Role } from "../domain/access/role.ts";
import { canonicalUserName } from "../domain/access/user-name.ts";
import type { NewUser } from "./people.ts";
import { codeOfRefusal, createPeopleWorld, must, PASSWORD, type PeopleWorld, SOCKET } from "./people-world.test.ts";
import type { Principal } from "./principal.ts";

setDefaultTimeout(60_000);

const GIVEN = "seventeen green bottles";

/** Somebody of that role whose proof is fresh and complete. */
async function somebody(world: PeopleWorld, role: Role, name: string = role): Promise<Principal> {
  const userId = await world.add(name, role);
  const via = {
    kind: "session",
    sessionId: name,
    factorAtMs: world.clock.nowMs,
    mustEnrol: false,
    mustChangePassword: false,
  } as const;
  return { kind: "user", userId, name, role, via };
}

test("a user who was added logs in once with the given password, and changes it", async () => {
  const world = await createPeopleWorld();
  const added = must(await world.users.create(SOCKET, { name: "Bob", role: "operator", password: GIVEN }));
  expect(added).toMatchObject({
    name: "Bob",
    role: "operator",
    state: "active",
    hasTotp: false,
    mustChangePassword: true,
  });
  const step = must(await world.login("bob", GIVEN));
  if (step.kind !== "session") throw new Error("no session");
  const { principal } = step.session;
  expect(principal).toMatchObject({ via: { mustEnrol: true, mustChangePassword: true } });
  expect(codeOfRefusal(await world.users.list(principal))).toBe("forbidden");
  const early = await world.tokens.create(principal, "ci", null);
  expect(early).toMatchObject({
    error: { code: "enrolment_required", message: expect.stringContaining("change it first") },
  });
  const changed = must(await world.users.changeOwnPassword(principal, { current: GIVEN, next: PASSWORD }, null));
  expect(changed.principal).toMatchObject({ via: { mustEnrol: false, mustChangePassword: false } });
  expect(codeOfRefusal(await world.login("bob", GIVEN))).toBe("credentials_refused");
  expect((await world.login("bob", PASSWORD)).ok).toBeTrue();
});

test("a given password is good for 24 hours", async () => {
  const world = await createPeopleWorld();
  must(await world.users.create(SOCKET, { name: "bob", role: "member", password: GIVEN }));
  world.pass(24 * 3_600_000 - 1);
  expect(codeOfRefusal(await world.login("bob", GIVEN))).toBe("ok");
  world.pass(1);
  expect(codeOfRefusal(await world.login("bob", GIVEN))).toBe("credentials_refused");
});

test("T-3.16 a new password takes the current one, ends every session, and is refused when anybody would guess it", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  const other = await world.session("bob");
  const change = (current: string, next: string) =>
    world.users.changeOwnPassword(session.principal, { current, next }, null);
  expect(codeOfRefusal(await change("wrong", `${PASSWORD} 2`))).toBe("credentials_refused");
  expect(codeOfRefusal(await change(PASSWORD, "short"))).toBe("password_refused");
  expect(codeOfRefusal(await change(PASSWORD, "Claude-ccflare-Claude"))).toBe("password_refused");
  for (const { cookie } of [session, other]) expect(await world.sessions.principalOf(cookie)).not.toBeNull();
  const changed = must(await change(PASSWORD, `${PASSWORD} 2`));
  for (const { cookie } of [session, other]) expect(await world.sessions.principalOf(cookie)).toBeNull();
  expect(await world.sessions.principalOf(changed.cookie)).not.toBeNull();
  expect(world.ended).toHaveLength(2);
  expect(codeOfRefusal(await world.login("bob", PASSWORD))).toBe("credentials_refused");
  // Nobody guesses the current password by way of a session that was left open.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await world.users.changeOwnPassword(changed.principal, { current: `guess ${attempt}`, next: PASSWORD }, null);
  }
  const right = { current: `${PASSWORD} 2`, next: `${PASSWORD} 3` };
  expect(codeOfRefusal(await world.users.changeOwnPassword(changed.principal, right, null))).toBe(
    "credentials_refused",
  );
});

const MAY_READ: readonly Role[] = ["auditor", "admin", "owner"];

function mayChange(role: Role, target: Role): boolean {
  return role === "owner" || (role === "admin" && target !== "admin" && target !== "owner");
}

function mayMake(role: Role, made: Role): boolean {
  return role === "owner" || (role === "admin" && (made === "member" || made === "operator"));
}

const said = (isAllowed: boolean): string => (isAllowed ? "ok" : "forbidden");

test.each(ROLES)("T-7.00 %s against every call on users, and on every role", async (role) => {
  const world = await createPeopleWorld();
  const { users } = world;
  // An owner more, so that none of them is the last one.
  await world.add("owner2", "owner");
  const principal = await somebody(world, role);
  expect(codeOfRefusal(await users.list(principal))).toBe(said(MAY_READ.includes(role)));
  for (const target of ROLES) {
    const calls = [
      (name: string) => users.disable(principal, name),
      (name: string) => users.enable(principal, name),
      (name: string) => users.endSessions(principal, name),
      (name: string) => users.setRole(principal, name, "member"),
      (name: string) => users.remove(principal, name),
    ];
    const answers: string[] = [];
    for (const [at, call] of calls.entries()) {
      await world.add(`${target}-${at}`, target);
      answers.push(codeOfRefusal(await call(`${target}-${at}`)));
    }
    expect([target, ...answers]).toEqual([target, ...calls.map(() => said(mayChange(role, target)))]);
  }
  await world.add("made", "member");
  for (const made of ROLES) {
    // Back to where everybody of rank may change it.
    must(await users.setRole(SOCKET, "made", "member"));
    expect([made, codeOfRefusal(await users.setRole(principal, "made", made))]).toEqual([
      made,
      said(mayMake(role, made)),
    ]);
  }
});

test("T-7.03 an admin changes no owner, no peer, and not its own role or password by the way for others", async () => {
  const world = await createPeopleWorld();
  const admin = await somebody(world, "admin");
  await world.add("peer", "admin");
  await world.add("boss", "owner");
  const { users } = world;
  for (const name of ["peer", "boss", "admin"]) {
    expect(codeOfRefusal(await users.setRole(admin, name, "member"))).toBe("forbidden");
    expect(codeOfRefusal(await users.setPassword(admin, name, GIVEN))).toBe("forbidden");
    expect(codeOfRefusal(await users.resetMfa(admin, name))).toBe("forbidden");
    expect(codeOfRefusal(await users.remove(admin, name))).toBe("forbidden");
  }
  expect(codeOfRefusal(await users.setRole(admin, "admin", "owner"))).toBe("forbidden");
  expect(codeOfRefusal(await users.create(admin, { name: "x", role: "admin", password: GIVEN }))).toBe("forbidden");
  await world.add("bob", "member");
  // Somebody else's second factor is an owner's matter.
  expect(codeOfRefusal(await users.resetMfa(admin, "bob"))).toBe("forbidden");
  expect((await world.audit()).every(({ code, reason }) => code.endsWith("E") && reason === "forbidden")).toBeTrue();
});

test("T-7.04 the last owner is not removed, demoted or disabled, by whomever", async () => {
  const world = await createPeopleWorld();
  const owner = await somebody(world, "owner", "boss");
  const all = async (principal: Principal) => [
    codeOfRefusal(await world.users.remove(principal, "boss")),
    codeOfRefusal(await world.users.setRole(principal, "boss", "admin")),
    codeOfRefusal(await world.users.disable(principal, "boss")),
  ];
  expect(await all(SOCKET)).toEqual(["last_owner", "last_owner", "last_owner"]);
  expect(await all(owner)).toEqual(["last_owner", "last_owner", "last_owner"]);
  const second = await world.add("second", "owner");
  must(await world.users.disable(owner, second));
  // A disabled owner is no owner.
  expect(await all(SOCKET)).toEqual(["last_owner", "last_owner", "last_owner"]);
  must(await world.users.enable(owner, second));
  expect(codeOfRefusal(await world.users.setRole(owner, "boss", "admin"))).toBe("ok");
});

test("T-7.04 of two owners who remove each other at once one stays", async () => {
  const world = await createPeopleWorld();
  const one = await somebody(world, "owner", "one");
  const two = await somebody(world, "owner", "two");
  const both = await Promise.all([world.users.remove(one, "two"), world.users.remove(two, "one")]);
  expect(both.map(codeOfRefusal).toSorted()).toEqual(["forbidden", "ok"]);
  expect(must(await world.users.list(SOCKET))).toHaveLength(1);
});

test("a role that was taken away a moment ago counts no more", async () => {
  const world = await createPeopleWorld();
  const admin = await somebody(world, "admin");
  await world.add("bob", "member");
  must(await world.users.setRole(SOCKET, "admin", "member"));
  expect(codeOfRefusal(await world.users.disable(admin, "bob"))).toBe("forbidden");
  must(await world.users.disable(SOCKET, "admin"));
  expect(codeOfRefusal(await world.sessions.list(admin).then(() => world.users.list(admin)))).toBe("forbidden");
});

test("T-7.02 what a caller adds to a new user is not taken from it", async () => {
  const world = await createPeopleWorld();
  const extra = {
    id: "0190c8a1-7b3c-7def-8abc-0123456789ab",
    createdAtMs: 1,
    created_at: 1,
    passwordHash: "x",
    totpSeed: new Uint8Array(1),
  };
  const draft: NewUser = { ...extra, name: "bob", role: "member", password: GIVEN };
  const added = must(await world.users.create(SOCKET, draft));
  const stored = await world.storage.people.users.read(added.id);
  expect(String(added.id)).not.toBe(extra.id);
  expect(stored).toMatchObject({ createdAtMs: world.clock.nowMs, totpSeed: null });
  expect(stored?.passwordHash).toStartWith("$scrypt$");
  expect(Object.keys(added).sort()).toEqual(
    ["createdAtMs", "hasTotp", "id", "lastLoginAtMs", "mustChangePassword", "name", "role", "state"].sort(),
  );
});

test("names are of one form, and two that look the same are one", async () => {
  const world = await createPeopleWorld();
  const create = (name: string) => world.users.create(SOCKET, { name, role: "member", password: GIVEN });
  expect(codeOfRefusal(await create("Bob"))).toBe("ok");
  for (const name of ["bob", "BOB"]) expect(codeOfRefusal(await create(name))).toBe("name_taken");
  for (const name of ["bob@x", "a b", "", "é", "a".repeat(65)])
    expect(codeOfRefusal(await create(name))).toBe("name_invalid");
  expect(canonicalUserName("Bob")).toBe("bob");
});

test("T-7.08 of 1,000 changes of roles at once none is lost, and each is in the audit log", async () => {
  const world = await createPeopleWorld();
  const users = await Promise.all(Array.from({ length: 10 }, (_, at) => world.add(`user${at}`, "member")));
  const roles: readonly Role[] = ["member", "operator", "auditor"];
  const told = world.told.length;
  const results = await Promise.all(
    Array.from({ length: 1_000 }, (_, at) =>
      world.users.setRole(SOCKET, users[at % 10] ?? "", roles[at % 3] ?? "member"),
    ),
  );
  expect(results.every(({ ok }) => ok)).toBeTrue();
  const entries = (await world.audit()).filter(({ code }) => code === "USR002I") as unknown as readonly {
    readonly object: { readonly id: string };
    readonly before: { readonly role: Role };
    readonly after: { readonly role: Role };
  }[];
  expect(entries).toHaveLength(1_000);
  expect(world.told.length - told).toBe(1_000);
  // Each begins where the one before it ended.
  for (const id of users) {
    let role: Role = "member";
    for (const entry of entries.filter(({ object }) => object.id === id)) {
      expect(entry.before.role).toBe(role);
      role = entry.after.role;
    }
    expect((await world.storage.people.users.read(id))?.role).toBe(role);
  }
});

test("T-2.11 the keys are told at once whether their owner may use the gateway", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  must(await world.users.setRole(SOCKET, id, "auditor"));
  must(await world.users.setRole(SOCKET, id, "operator"));
  must(await world.users.disable(SOCKET, id));
  must(await world.users.enable(SOCKET, id));
  must(await world.users.remove(SOCKET, id));
  expect(world.told).toEqual([false, true, false, true, false].map((mayUseProxy) => [id, mayUseProxy] as const));
});

test("a user who was removed leaves nothing behind, and its name is free", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const { session } = await world.enrol(await world.session("bob"));
  must(await world.tokens.create(session.principal, "ci", null));
  must(await world.users.remove(SOCKET, "bob"));
  expect(await world.sessions.principalOf(session.cookie)).toBeNull();
  const { users, sessions, tokens, signIns } = world.storage.people;
  expect(await users.read(id)).toBeNull();
  expect(await sessions.listOf(id)).toEqual([]);
  expect(await tokens.listOf(id)).toEqual([]);
  expect(await signIns.throttle({ userId: id, deviceHash: null })).toBeNull();
  expect(codeOfRefusal(await world.users.create(SOCKET, { name: "bob", role: "member", password: GIVEN }))).toBe("ok");
  expect(codeOfRefusal(await world.users.remove(SOCKET, id))).toBe("user_not_found");
});

test("a session that a disabled user still holds opens nothing, whatever raced with the change", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const racing = world.login("bob", PASSWORD);
  must(await world.users.disable(SOCKET, id));
  expect(codeOfRefusal(await racing)).toBe("credentials_refused");
  expect(await world.storage.people.sessions.listOf(id)).toEqual([]);
});

test("the only owner, locked out and without its phone, comes back by way of the Unix socket", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("boss", "owner");
  await world.enrol(await world.session("boss"));
  await world.storage.people.users.update(id, { lockedOutAtMs: world.clock.nowMs });
  expect(codeOfRefusal(await world.login("boss", PASSWORD))).toBe("credentials_refused");
  must(await world.users.enable(SOCKET, "boss"));
  must(await world.users.setPassword(SOCKET, "boss", GIVEN));
  must(await world.users.resetMfa(SOCKET, "boss"));
  const step = must(await world.login("boss", GIVEN));
  if (step.kind !== "session") throw new Error("a second factor is asked for");
  const next = { current: GIVEN, next: `${PASSWORD} again` };
  const changed = must(await world.users.changeOwnPassword(step.session.principal, next, null));
  expect(codeOfRefusal(await world.users.list(changed.principal))).toBe("enrolment_required");
  const { session } = await world.enrol(changed);
  expect(codeOfRefusal(await world.users.list(session.principal))).toBe("ok");
});
