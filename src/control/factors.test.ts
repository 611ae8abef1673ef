import { expect, setDefaultTimeout, test } from "bun:test";
import { valueSource } from "../keyring/given-sources.ts";
import { createVault } from "../keyring/vault.ts";
import { codeOf, codeOfRefusal, createPeopleWorld, must, PASSWORD, SOCKET } from "./people-world.test.ts";

setDefaultTimeout(60_000);

test("an admin without a second factor may only set one up", async () => {
  const world = await createPeopleWorld();
  await world.add("alice", "admin");
  const session = await world.session("alice");
  expect(session.principal).toMatchObject({ via: { mustEnrol: true, mustChangePassword: false } });
  const early = await world.users.list(session.principal);
  expect(early).toMatchObject({
    error: { code: "enrolment_required", message: expect.stringContaining("second factor") },
  });
  expect(codeOfRefusal(await world.tokens.create(session.principal, "ci", null))).toBe("enrolment_required");
  const { session: enrolled } = await world.enrol(session);
  expect(enrolled.principal).toMatchObject({ via: { mustEnrol: false } });
  expect(codeOfRefusal(await world.users.list(enrolled.principal))).toBe("ok");
});

test("T-9.02 a code is accepted once, in whichever session and whichever process", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { code } = await world.enrol(await world.session("bob"));
  const [one, two, three] = [
    await world.preSession("bob"),
    await world.preSession("bob"),
    await world.preSession("bob"),
  ];
  const both = await Promise.all([
    world.signIn.proveTotp(one, code(), null),
    world.signIn.proveTotp(two, code(), null),
  ]);
  expect(both.map(codeOfRefusal).toSorted()).toEqual(["credentials_refused", "ok"]);
  expect(codeOfRefusal(await world.signIn.proveTotp(three, code(), null))).toBe("credentials_refused");
  world.pass(30_000);
  expect(codeOfRefusal(await world.signIn.proveTotp(three, code(), null))).toBe("ok");
  // The pre-session is used up as well.
  expect(codeOfRefusal(await world.signIn.proveTotp(three, code(1), null))).toBe("credentials_refused");
});

test("T-9.02 the database lets one of two equal steps through, without any help of the process", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  await world.enrol(await world.session("bob"));
  const { users } = world.storage.people;
  const step = Math.floor(world.clock.nowMs / 30_000);
  expect(await Promise.all([users.useTotpStep(id, step), users.useTotpStep(id, step)])).toEqual([true, false]);
  expect(await users.useTotpStep(id, step - 1)).toBeFalse();
  expect(await users.useTotpStep(id, step + 1)).toBeTrue();
});

test("the code that confirmed the enrolment does not log in", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { code } = await world.enrol(await world.session("bob"));
  const preSession = await world.preSession("bob");
  expect(codeOfRefusal(await world.signIn.proveTotp(preSession, code(-1), null))).toBe("credentials_refused");
});

test("T-9.08 a second factor that nobody confirmed is none, and one that is there is replaced with a fresh proof alone", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  const begun = must(await world.factors.beginTotp(session.principal));
  expect(must(await world.login("bob")).kind).toBe("session");
  // Not by another session of the same user.
  const other = await world.session("bob");
  const code = codeOf(begun.secret, world.clock.nowMs);
  expect(codeOfRefusal(await world.factors.confirmTotp(other.principal, code, null))).toBe("factor_missing");
  for (let attempt = 0; attempt < 5; attempt += 1) {
    expect(codeOfRefusal(await world.factors.confirmTotp(session.principal, "abc", null))).toBe("code_refused");
  }
  expect(codeOfRefusal(await world.factors.confirmTotp(session.principal, code, null))).toBe("factor_missing");

  const first = await world.enrol(session);
  world.pass(6 * 60_000);
  expect(codeOfRefusal(await world.factors.beginTotp(first.session.principal))).toBe("step_up_required");
  const proof = { password: PASSWORD, code: first.code() };
  const fresh = must(await world.signIn.stepUp(first.session.principal, proof, null));
  const second = await world.enrol(fresh);
  const preSession = await world.preSession("bob");
  expect(codeOfRefusal(await world.signIn.proveTotp(preSession, first.code(), null))).toBe("credentials_refused");
  expect(codeOfRefusal(await world.signIn.proveTotp(preSession, second.code(), null))).toBe("ok");
});

test("an enrolment is forgotten after 10 minutes", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const session = await world.session("bob");
  const { secret } = must(await world.factors.beginTotp(session.principal));
  world.pass(10 * 60_000);
  const late = await world.factors.confirmTotp(session.principal, codeOf(secret, world.clock.nowMs), null);
  expect(codeOfRefusal(late)).toBe("factor_missing");
});

test("T-9.09 ten recovery codes, each once, and of two uses at once one wins", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { recoveryCodes } = await world.enrol(await world.session("bob"));
  expect(new Set(recoveryCodes).size).toBe(10);
  const [one = "", two = ""] = recoveryCodes;
  const first = await world.preSession("bob");
  const second = await world.preSession("bob");
  const both = await Promise.all([
    world.signIn.proveRecovery(first, one, null),
    world.signIn.proveRecovery(second, one, null),
  ]);
  expect(both.map(codeOfRefusal).toSorted()).toEqual(["credentials_refused", "ok"]);
  const session = must(await world.signIn.proveRecovery(await world.preSession("bob"), two, null));
  const made = must(await world.factors.newRecoveryCodes(session.principal));
  const third = await world.preSession("bob");
  expect(codeOfRefusal(await world.signIn.proveRecovery(third, recoveryCodes[2] ?? "", null))).toBe(
    "credentials_refused",
  );
  expect(codeOfRefusal(await world.signIn.proveRecovery(third, made[0] ?? "", null))).toBe("ok");
  expect(await world.codes()).toEqual(expect.arrayContaining(["MFA001I", "AUT003I", "AUT003E", "MFA003I"]));
});

test("wrong recovery codes count as wrong passwords do", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  await world.enrol(await world.session("bob"));
  const preSession = await world.preSession("bob");
  const [foreign = ""] = world.proofs.recoveryCodes.make().shown;
  for (const code of [foreign, "nonsense"]) {
    expect(codeOfRefusal(await world.signIn.proveRecovery(preSession, code, null))).toBe("credentials_refused");
  }
  expect(await world.storage.people.signIns.throttle({ userId: id, deviceHash: null })).toMatchObject({ failures: 2 });
});

test("T-9.10 the second step alone opens nothing, and the first one for 5 minutes only", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { code, recoveryCodes, session } = await world.enrol(await world.session("bob"));
  const foreign = world.proofs.tokens.newSession().cookie;
  for (const cookie of ["", "x", foreign, session.cookie, session.deviceCookie]) {
    expect(codeOfRefusal(await world.signIn.proveTotp(cookie, code(), null))).toBe("credentials_refused");
    expect(codeOfRefusal(await world.signIn.proveRecovery(cookie, recoveryCodes[0] ?? "", null))).toBe(
      "credentials_refused",
    );
  }
  const preSession = await world.preSession("bob");
  expect(await world.sessions.principalOf(preSession)).toBeNull();
  world.pass(5 * 60_000);
  expect(codeOfRefusal(await world.signIn.proveTotp(preSession, code(), null))).toBe("credentials_refused");
});

test("a pre-session ends with the password that it proved", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const { code } = await world.enrol(await world.session("bob"));
  const preSession = await world.preSession("bob");
  must(await world.users.setPassword(SOCKET, id, "seventeen green bottles"));
  expect(codeOfRefusal(await world.signIn.proveTotp(preSession, code(), null))).toBe("credentials_refused");
});

test("T-9.19 an owner's and an admin's last factor is not turned off; a member's is", async () => {
  const world = await createPeopleWorld();
  for (const [name, role, expected] of [
    ["boss", "owner", "factor_required"],
    ["alice", "admin", "factor_required"],
    ["bob", "member", "ok"],
  ] as const) {
    await world.add(name, role);
    const { session } = await world.enrol(await world.session(name));
    expect(codeOfRefusal(await world.factors.removeTotp(session.principal, null))).toBe(expected);
  }
  expect(must(await world.login("bob")).kind).toBe("session");
  expect(must(await world.login("boss")).kind).toBe("mfa");
});

test("an owner takes another's factor away, which ends all sessions; a short password has to be changed then", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const { session } = await world.enrol(await world.session("bob"));
  const short = must(
    await world.users.changeOwnPassword(session.principal, { current: PASSWORD, next: "nine char" }, null),
  );
  must(await world.users.resetMfa(SOCKET, id));
  expect(await world.sessions.principalOf(short.cookie)).toBeNull();
  const step = must(await world.login("bob", "nine char"));
  expect(step).toMatchObject({ kind: "session", session: { principal: { via: { mustChangePassword: true } } } });
});

test("the seed lies in the database as an envelope, and opens for its own user alone", async () => {
  const world = await createPeopleWorld();
  const bob = await world.add("bob", "member");
  const eve = await world.add("eve", "member");
  const { code, secret } = await world.enrol(await world.session("bob"));
  const { users } = world.storage.people;
  const sealed = (await users.read(bob))?.totpSeed ?? new Uint8Array();
  expect(Buffer.from(sealed).toString("latin1")).not.toContain(secret);
  await users.update(eve, { totpSeed: sealed });
  expect(codeOfRefusal(await world.signIn.proveTotp(await world.preSession("eve"), code(), null))).toBe(
    "credentials_refused",
  );
});

test("T-10.22 a new data key seals every seed anew, and codes go on", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "member");
  const { code } = await world.enrol(await world.session("bob"));
  const before = (await world.storage.people.users.read(id))?.totpSeed;
  const source = valueSource(null);
  const vault = createVault({
    keyring: world.keyring,
    sources: {
      configured: source,
      byKind: { file: source, value: source, passphrase: source, keychain: source, pkcs11: source },
    },
    dataKeys: world.storage.dataKeys,
    stored: world.storage.vault,
    audit: world.changes,
    now: world.clock.now,
    onFailure(cause) {
      throw cause;
    },
    graceMs: 0,
  });
  must(await vault.rotateDataKeys(["totp"]));
  while ((await vault.status()).isReencrypting) await Bun.sleep(10);
  const after = (await world.storage.people.users.read(id))?.totpSeed;
  expect(Buffer.from(after ?? []).equals(Buffer.from(before ?? []))).toBeFalse();
  expect(await vault.verify()).toMatchObject({ sealedCount: 1, problemCount: 0 });
  expect(codeOfRefusal(await world.signIn.proveTotp(await world.preSession("bob"), code(), null))).toBe("ok");
  await vault.stop();
});
