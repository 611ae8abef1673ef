import { expect, setDefaultTimeout, test } from "bun:test";
import { type DurationMs, durationMs } from "../kernel/time.ts";
import { codeOfRefusal, createPeopleWorld, must, SOCKET } from "./people-world.test.ts";

setDefaultTimeout(60_000);

const DAY = 86_400_000;

test("a token speaks for its owner, with the role that the owner has when it is used", async () => {
  const world = await createPeopleWorld();
  const id = await world.add("bob", "operator");
  const { principal } = await world.session("bob");
  const token = must(await world.tokens.create(principal, "ci", null));
  expect(token.disclose()).toMatch(/^bccf_ad_[0-9A-Za-z]{59}$/);
  const speaks = () => world.tokens.principalOf(token.disclose());
  expect(await speaks()).toEqual({
    kind: "user",
    userId: id,
    name: "bob",
    role: "operator",
    via: { kind: "token", tokenId: token.id },
  });
  must(await world.users.setRole(SOCKET, id, "member"));
  expect(await speaks()).toMatchObject({ role: "member" });
  // An admin needs a second factor, by whichever way.
  must(await world.users.setRole(SOCKET, id, "admin"));
  expect(await speaks()).toBeNull();
  must(await world.users.setRole(SOCKET, id, "operator"));
  must(await world.users.disable(SOCKET, id));
  expect(await speaks()).toBeNull();
  must(await world.users.enable(SOCKET, id));
  expect(await speaks()).toMatchObject({ role: "operator" });
  must(await world.users.setPassword(SOCKET, id, "seventeen green bottles"));
  expect(await speaks()).toBeNull();
});

test("a token lives 90 days, or as long as was asked for, and not after it was revoked", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { principal } = await world.session("bob");
  const usual = must(await world.tokens.create(principal, "usual", null));
  const long = must(await world.tokens.create(principal, "long", durationMs(365 * DAY)));
  const gone = must(await world.tokens.create(principal, "gone", null));
  expect(codeOfRefusal(await world.tokens.create(principal, "usual", null))).toBe("name_taken");
  must(await world.tokens.revoke(principal, "gone"));
  expect(await world.tokens.principalOf(gone.disclose())).toBeNull();
  expect(codeOfRefusal(await world.tokens.revoke(principal, "gone"))).toBe("token_not_found");
  world.pass(90 * DAY - 1);
  expect(await world.tokens.principalOf(usual.disclose())).not.toBeNull();
  world.pass(1);
  expect(await world.tokens.principalOf(usual.disclose())).toBeNull();
  world.pass(275 * DAY - 1);
  expect(await world.tokens.principalOf(long.disclose())).not.toBeNull();
  world.pass(1);
  expect(await world.tokens.principalOf(long.disclose())).toBeNull();
  expect((await world.tokens.list(principal)).map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
    "gone revoked",
    "long expired",
    "usual expired",
  ]);
  const reasons = (await world.audit()).filter(({ code }) => code === "AUT008E").map(({ reason }) => reason);
  expect(reasons).toEqual(["revoked", "expired", "expired"]);
});

test.each([-1, 0, 59_999, 365 * DAY + 1, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN, 60_000.5, "1", "90000000"])(
  "T-7.16 a token for %p ms is refused",
  async (span) => {
    const world = await createPeopleWorld();
    await world.add("bob", "member");
    const { principal } = await world.session("bob");
    expect(await world.tokens.create(principal, "ci", span as DurationMs)).toMatchObject({
      error: { code: "expiry_out_of_range", field: "expiresIn" },
    });
    expect(await world.tokens.list(principal)).toEqual([]);
  },
);

test("a token makes no token and changes nothing that takes a fresh proof; nor does an old session", async () => {
  const world = await createPeopleWorld();
  await world.add("alice", "admin");
  const { session } = await world.enrol(await world.session("alice"));
  const token = must(await world.tokens.create(session.principal, "ci", null));
  const principal = await world.tokens.principalOf(token.disclose());
  if (principal === null) throw new Error("the token is refused");
  expect(codeOfRefusal(await world.users.list(principal))).toBe("ok");
  expect(codeOfRefusal(await world.users.disable(principal, "alice"))).toBe("step_up_required");
  expect(codeOfRefusal(await world.tokens.create(principal, "more", null))).toBe("step_up_required");
  expect(codeOfRefusal(await world.factors.beginTotp(principal))).toBe("step_up_required");
  expect(codeOfRefusal(await world.signIn.stepUp(principal, { password: "x", code: null }, null))).toBe("forbidden");
  world.pass(5 * 60_000 + 1);
  expect(codeOfRefusal(await world.tokens.create(session.principal, "late", null))).toBe("step_up_required");
});

test("nobody sees or revokes another's token", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  await world.add("eve", "member");
  const bob = await world.session("bob");
  const eve = await world.session("eve");
  const token = must(await world.tokens.create(bob.principal, "ci", null));
  expect(await world.tokens.list(eve.principal)).toEqual([]);
  expect(codeOfRefusal(await world.tokens.revoke(eve.principal, token.id))).toBe("token_not_found");
  expect(codeOfRefusal(await world.tokens.create(eve.principal, "ci", null))).toBe("ok");
});

test("what is no admin token is none: a client key, a setup secret, a changed character", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { principal, cookie } = await world.session("bob");
  const text = must(await world.tokens.create(principal, "ci", null)).disclose();
  const changed = text.slice(0, 30) + (text[30] === "A" ? "B" : "A") + text.slice(31);
  const setup = world.proofs.tokens.mintToken("st").text;
  for (const other of ["", cookie, changed, setup, text.replace("_ad_", "_sk_"), `${text} `]) {
    expect(await world.tokens.principalOf(other)).toBeNull();
  }
  expect(await world.tokens.principalOf(text)).not.toBeNull();
});

test("a pepper that a token needs outlives a rotation", async () => {
  const world = await createPeopleWorld();
  await world.add("bob", "member");
  const { principal } = await world.session("bob");
  must(await world.tokens.create(principal, "ci", null));
  await world.setup.mint();
  const [active] = world.keyring.macs("apikey-pepper");
  expect(await world.storage.vault.pepperUses()).toEqual(new Map([[active.version, 2]]));
});
