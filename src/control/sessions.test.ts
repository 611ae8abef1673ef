import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { OpenedSession } from "./people.ts";
import { codeOfRefusal, createPeopleWorld, must, PASSWORD, SOCKET } from "./people-world.test.ts";
import type { Principal } from "./principal.ts";

setDefaultTimeout(60_000);

const MINUTE = 60_000;

function idOf({ principal }: Pick<OpenedSession, "principal">): string {
  if (principal.kind !== "user" || principal.via.kind !== "session") throw new Error("no session");
  return principal.via.sessionId;
}

test("T-4.03 login, second factor and step-up each give a new id, and the one before is dead", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const first = await world.session("bob");
  const enrolled = await world.enrol(first);
  expect(await world.sessions.principalOf(first.cookie)).toBeNull();
  const { cookie: second } = enrolled.session;
  const principal = await world.sessions.principalOf(second);
  if (principal === null) throw new Error("the session of the enrolment is gone");
  const proof = { password: PASSWORD, code: enrolled.code() };
  const third = must(await world.signIn.stepUp(principal, proof, null));
  expect(await world.sessions.principalOf(second)).toBeNull();
  expect(await world.sessions.principalOf(third.cookie)).not.toBeNull();
  // An id that the attacker gave its victim before the login is nobody's after it.
  world.pass(30_000);
  const preSession = await world.preSession("bob");
  const fourth = must(await world.signIn.proveTotp(preSession, enrolled.code(), null));
  expect(await world.sessions.principalOf(preSession)).toBeNull();
  expect(new Set([first, enrolled.session, third, fourth].map(idOf)).size).toBe(4);
  expect(world.ended).toEqual([idOf(first), idOf(enrolled.session)]);
});

test("T-4.03 a new role ends all sessions", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const session = await world.session("bob");
  must(await world.users.setRole(SOCKET, id, "operator"));
  expect(await world.sessions.principalOf(session.cookie)).toBeNull();
  expect(world.ended).toEqual([idOf(session)]);
  expect((await world.session("bob")).principal).toMatchObject({ role: "operator" });
});

/** What is no session, though it may look like the name of something else. */
const FOREIGN = [
  "admin_credentials",
  "__proto__",
  "constructor",
  "toString",
  "*",
  "session:",
  "",
  "{}",
  "null",
  "a".repeat(43),
  "a".repeat(32),
  "' or 1=1 --",
];

test("T-4.04 T-4.05 what nobody gave out is no session anywhere, and leaves no row", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  const { principal } = session;
  const rows = () => countsOf(world.dataDir);
  const before = rows();
  for (const text of FOREIGN) {
    expect(await world.sessions.principalOf(text)).toBeNull();
    expect(world.sessions.csrfMatches(text, session.csrf)).toBeFalse();
    expect(codeOfRefusal(await world.signIn.proveTotp(text, "123456", null))).toBe("credentials_refused");
    expect(codeOfRefusal(await world.sessions.end(principal, text))).toBe("session_not_found");
    const forged = { ...principal, via: { ...(principal as { via: object }).via, sessionId: text } } as Principal;
    expect((await world.sessions.list(forged)).every(({ isCurrent }) => !isCurrent)).toBeTrue();
    expect(
      codeOfRefusal(await world.users.changeOwnPassword(forged, { current: PASSWORD, next: `${PASSWORD} 2` }, null)),
    ).toBe("forbidden");
  }
  expect(rows()).toEqual(before);
});

test("T-4.06 what the database holds opens nothing", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  await world.enrol(session);
  const preSession = await world.preSession("bob");
  const dump = dumpOf(world.dataDir);
  for (const secret of [session.cookie, session.deviceCookie, preSession, session.csrf])
    expect(dump).not.toContain(secret);
  const hash = world.proofs.tokens.sessionHash(preSession);
  if (hash === null) throw new Error("no hash");
  for (const encoding of ["hex", "base64url", "base64", "latin1"] as const) {
    const text = Buffer.from(hash).toString(encoding);
    expect(await world.sessions.principalOf(text)).toBeNull();
    expect(codeOfRefusal(await world.signIn.proveTotp(text, "123456", null))).toBe("credentials_refused");
  }
});

test("T-4.07 a session ends after 30 minutes without use", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  // Used between two writes of the store: memory knows it to the millisecond.
  world.pass(30 * MINUTE - 1);
  expect(await world.sessions.principalOf(session.cookie)).not.toBeNull();
  world.pass(59_000);
  expect(await world.sessions.principalOf(session.cookie)).not.toBeNull();
  world.pass(30 * MINUTE - 1);
  expect(await world.sessions.principalOf(session.cookie)).not.toBeNull();
  world.pass(30 * MINUTE);
  expect(await world.sessions.principalOf(session.cookie)).toBeNull();
  expect(world.ended).toEqual([idOf(session)]);
});

test("T-4.07 use does not keep a session for more than 8 hours, nor does a fresh proof", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  let session = await world.session("bob");
  const until = session.absoluteUntilMs;
  expect(until - world.clock.nowMs).toBe(8 * 60 * MINUTE);
  for (let minutes = 0; minutes < 8 * 60 - 20; minutes += 20) {
    world.pass(20 * MINUTE);
    expect(await world.sessions.principalOf(session.cookie)).not.toBeNull();
  }
  session = must(await world.signIn.stepUp(session.principal, { password: PASSWORD, code: null }, null));
  expect(session.absoluteUntilMs).toBe(until);
  world.pass(20 * MINUTE - 1);
  expect(await world.sessions.principalOf(session.cookie)).not.toBeNull();
  world.pass(1);
  expect(await world.sessions.principalOf(session.cookie)).toBeNull();
});

test("T-4.07 the sweep ends what nobody asks for any more, and tells the streams", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  world.pass(30 * MINUTE);
  await world.tick();
  expect(world.ended).toEqual([]);
  world.pass(MINUTE);
  await world.tick();
  expect(world.ended).toEqual([idOf(session)]);
});

test("T-4.08 who logs out is out, on the server as well", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  must(await world.sessions.end(session.principal, idOf(session)));
  expect(await world.sessions.principalOf(session.cookie)).toBeNull();
  expect(world.ended).toEqual([idOf(session)]);
  expect(codeOfRefusal(await world.sessions.end(session.principal, idOf(session)))).toBe("session_not_found");
});

test("T-4.09 disable, role, password and second factor end all sessions and their streams before the call returns", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const check = async (change: () => Promise<unknown>) => {
    const sessions = [await world.session("bob"), await world.session("bob")];
    world.ended.length = 0;
    await change();
    expect(world.ended.toSorted()).toEqual(sessions.map(idOf).toSorted());
    for (const { cookie } of sessions) expect(await world.sessions.principalOf(cookie)).toBeNull();
  };
  await check(async () => must(await world.users.disable(SOCKET, id)));
  must(await world.users.enable(SOCKET, id));
  await check(async () => must(await world.users.setRole(SOCKET, id, "auditor")));
  await check(async () => must(await world.users.endSessions(SOCKET, id)));
  await check(async () => must(await world.users.setPassword(SOCKET, id, "a given password of length")));
});

test("T-4.10 the sixth session drives the oldest out", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const sessions: OpenedSession[] = [];
  for (let count = 0; count < 6; count += 1) {
    sessions.push(await world.session("bob"));
    world.pass(1_000);
  }
  const [oldest, second, ...rest] = sessions;
  expect(oldest && (await world.sessions.principalOf(oldest.cookie))).toBeNull();
  expect(world.ended).toEqual(oldest === undefined ? [] : [idOf(oldest)]);
  for (const { cookie } of [second, ...rest].filter((each) => each !== undefined)) {
    expect(await world.sessions.principalOf(cookie)).not.toBeNull();
  }
});

test("T-4.12 T-7.06 a fresh proof is one's own, counts once, and takes all that a login takes", async () => {
  const world = await createPeopleWorld();
  await world.add("alice", "admin");
  await world.add("bob", "member");
  const alice = await world.enrol(await world.session("alice"));
  const bob = await world.session("bob");
  world.pass(4 * MINUTE + 29_000);
  const draft = (name: string) => ({ name, role: "member", password: "a given password of length" }) as const;
  expect(codeOfRefusal(await world.users.create(alice.session.principal, draft("one")))).toBe("ok");
  world.pass(2_000);
  const { principal } = alice.session;
  expect(codeOfRefusal(await world.users.create(principal, draft("two")))).toBe("step_up_required");
  // Not by half a proof, not by another's, and not for another.
  for (const code of [null, "", "000000", "abcdef"]) {
    expect(codeOfRefusal(await world.signIn.stepUp(principal, { password: PASSWORD, code }, null))).toBe(
      "credentials_refused",
    );
  }
  const code = alice.code();
  expect(codeOfRefusal(await world.signIn.stepUp(principal, { password: "wrong", code }, null))).toBe(
    "credentials_refused",
  );
  must(await world.signIn.stepUp(bob.principal, { password: PASSWORD, code: null }, null));
  expect(codeOfRefusal(await world.users.create(principal, draft("two")))).toBe("step_up_required");
  world.pass(1_000);
  const fresh = must(await world.signIn.stepUp(principal, { password: PASSWORD, code: alice.code() }, null));
  expect(codeOfRefusal(await world.users.create(fresh.principal, draft("two")))).toBe("ok");
  // The same proof again: the code was used, and the session that it belonged to is gone.
  const again = await world.signIn.stepUp(fresh.principal, { password: PASSWORD, code: alice.code() }, null);
  expect(codeOfRefusal(again)).toBe("credentials_refused");
});

test("T-7.06 a new password or a new factor does not make an old proof fresh", async () => {
  const world = await createPeopleWorld();
  await world.add("alice", "admin");
  const { session } = await world.enrol(await world.session("alice"));
  world.pass(6 * MINUTE);
  const passwords = { current: PASSWORD, next: `${PASSWORD} and another` };
  const changed = must(await world.users.changeOwnPassword(session.principal, passwords, null));
  const draft = { name: "two", role: "member", password: "a given password of length" } as const;
  expect(codeOfRefusal(await world.users.create(changed.principal, draft))).toBe("step_up_required");
  expect(codeOfRefusal(await world.factors.beginTotp(changed.principal))).toBe("step_up_required");
  expect(codeOfRefusal(await world.factors.newRecoveryCodes(changed.principal))).toBe("step_up_required");
});

test("T-4.13 nobody sees or ends the session of another", async () => {
  const world = await createPeopleWorld();
  await world.add("alice", "admin");
  await world.add("bob", "admin");
  const alice = await world.session("alice");
  const bob = await world.session("bob");
  expect((await world.sessions.list(alice.principal)).map(({ id }) => id)).toEqual([idOf(alice)]);
  expect(codeOfRefusal(await world.sessions.end(alice.principal, idOf(bob)))).toBe("session_not_found");
  expect(await world.sessions.principalOf(bob.cookie)).not.toBeNull();
  expect(world.sessions.csrfMatches(alice.cookie, bob.csrf)).toBeFalse();
});

test("another session of one's own is ended with a fresh proof alone", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const old = await world.session("bob");
  world.pass(6 * MINUTE);
  const now = await world.session("bob");
  expect(codeOfRefusal(await world.sessions.end(old.principal, idOf(now)))).toBe("step_up_required");
  must(await world.sessions.end(now.principal, idOf(old)));
  expect((await world.sessions.list(now.principal)).map(({ id, isCurrent }) => [id, isCurrent])).toEqual([
    [idOf(now), true],
  ]);
});

test("T-4.17 a restart keeps who is logged in, and brings nobody back who logged out", async () => {
  const first = await createPeopleWorld();
  await first.add("bob", "member");
  const kept = await first.session("bob");
  const gone = await first.session("bob");
  must(await first.sessions.end(gone.principal, idOf(gone)));
  await first.close();
  const second = await createPeopleWorld(first);
  expect(await second.sessions.principalOf(kept.cookie)).toMatchObject({ name: "bob" });
  expect(await second.sessions.principalOf(gone.cookie)).toBeNull();
});

function openDump(dataDir: string): Database {
  return new Database(join(dataDir, "gateway.db"), { readonly: true });
}

const TABLES = ["users", "user_sessions", "pre_sessions", "login_devices", "login_throttles", "admin_tokens"];

function countsOf(dataDir: string): readonly number[] {
  const database = openDump(dataDir);
  const counts = TABLES.map(
    (table) => database.query<{ count: number }, []>(`select count(*) as count from ${table}`).get()?.count ?? -1,
  );
  database.close();
  return counts;
}

function dumpOf(dataDir: string): string {
  const database = openDump(dataDir);
  const rows = TABLES.flatMap((table) => database.query(`select * from ${table}`).all());
  database.close();
  return JSON.stringify(rows, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
}
