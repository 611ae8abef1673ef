import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOfRefusal, createPeopleWorld, must, PASSWORD, SOCKET } from "./people-world.test.ts";

setDefaultTimeout(60_000);

const OWNER = { name: "boss", password: PASSWORD };

test("the setup secret makes the first owner, once, who must set up a second factor", async () => {
  const world = await createPeopleWorld();
  expect(world.setup.isDone()).toBeFalse();
  const minted = await world.setup.mint();
  const secret = minted?.disclose() ?? "";
  expect(secret).toMatch(/^bccf_st_[0-9A-Za-z]{59}$/);
  const path = join(world.dataDir, "setup-secret");
  expect(readFileSync(path, "utf8")).toBe(`${secret}\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const session = must(await world.setup.complete(secret, OWNER, "192.0.2.1"));
  expect(session.principal).toMatchObject({ name: "boss", role: "owner", via: { mustEnrol: true } });
  expect(world.setup.isDone()).toBeTrue();
  expect(world.storage.setupFile.read()).toBeNull();
  expect(await world.setup.mint()).toBeNull();
  expect(codeOfRefusal(await world.setup.complete(secret, { ...OWNER, name: "second" }, null))).toBe("setup_done");
  expect((await world.login("boss")).ok).toBeTrue();
  expect(await world.codes()).toEqual(["SET001I", "SET002I", "AUT001I"]);
  expect(JSON.stringify(await world.audit())).not.toContain(secret.slice(18));
});

test("T-20.10 a gateway that starts again and again gives one setup secret for 30 minutes, then another", async () => {
  let world = await createPeopleWorld();
  const first = (await world.setup.mint())?.disclose();
  for (let start = 0; start < 3; start += 1) {
    await world.close();
    world = await createPeopleWorld(world);
    expect((await world.setup.mint())?.disclose()).toBe(first);
  }
  // Without its file it cannot be shown again, and it is still the one that is valid.
  world.storage.setupFile.remove();
  expect(await world.setup.mint()).toBeNull();
  world.pass(30 * 60_000);
  expect(codeOfRefusal(await world.setup.complete(first ?? "", OWNER, null))).toBe("setup_refused");
  const second = (await world.setup.mint())?.disclose();
  expect(second).not.toBe(first);
  expect(codeOfRefusal(await world.setup.complete(first ?? "", OWNER, null))).toBe("setup_refused");
  expect(codeOfRefusal(await world.setup.complete(second ?? "", OWNER, null))).toBe("ok");
});

test("the database keeps of the secret what opens nothing", async () => {
  const world = await createPeopleWorld();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  const stored = await world.storage.people.setup.read();
  expect(stored?.mac).toHaveLength(32);
  expect(JSON.stringify(stored)).not.toContain(secret.slice(18, 61));
  const foreign = world.proofs.tokens.mintToken("st").text;
  for (const text of ["", "x", foreign, secret.replace("_st_", "_ad_")]) {
    expect(codeOfRefusal(await world.setup.complete(text, OWNER, null))).toBe("setup_refused");
  }
});

test("a password or name that is refused does not use the secret up", async () => {
  const world = await createPeopleWorld();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  expect(codeOfRefusal(await world.setup.complete(secret, { ...OWNER, password: "short" }, null))).toBe(
    "password_refused",
  );
  expect(codeOfRefusal(await world.setup.complete(secret, { ...OWNER, name: "a b" }, null))).toBe("name_invalid");
  expect(codeOfRefusal(await world.setup.complete(secret, OWNER, null))).toBe("ok");
});

test("of two who complete the setup at once one is the owner", async () => {
  const world = await createPeopleWorld();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  const both = await Promise.all([
    world.setup.complete(secret, OWNER, null),
    world.setup.complete(secret, { ...OWNER, name: "other" }, null),
  ]);
  expect(both.filter(({ ok }) => ok)).toHaveLength(1);
  expect(must(await world.users.list(SOCKET))).toHaveLength(1);
});

test("an owner whom the operator adds on the socket ends the setup as well", async () => {
  const world = await createPeopleWorld();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  must(await world.users.create(SOCKET, { name: "boss", role: "owner", password: "seventeen green bottles" }));
  expect(world.setup.isDone()).toBeTrue();
  expect(world.storage.setupFile.read()).toBeNull();
  expect(codeOfRefusal(await world.setup.complete(secret, { ...OWNER, name: "eve" }, null))).toBe("setup_done");
  await world.close();
  expect((await createPeopleWorld(world)).setup.isDone()).toBeTrue();
});

test("who guesses setup secrets is held up by its address", async () => {
  const world = await createPeopleWorld();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  for (let attempt = 0; attempt < 20; attempt += 1) await world.setup.complete(`guess${attempt}`, OWNER, "192.0.2.66");
  expect(codeOfRefusal(await world.setup.complete(secret, OWNER, "192.0.2.66"))).toBe("attempts_exhausted");
  expect(codeOfRefusal(await world.setup.complete(secret, OWNER, "192.0.2.1"))).toBe("ok");
});

test("a link in place of the file is not followed, neither for reading nor for writing", async () => {
  const world = await createPeopleWorld();
  const target = join(world.dataDir, "elsewhere");
  writeFileSync(target, "kept\n");
  symlinkSync(target, join(world.dataDir, "setup-secret"));
  expect(world.storage.setupFile.read()).toBeNull();
  const secret = (await world.setup.mint())?.disclose() ?? "";
  expect(readFileSync(target, "utf8")).toBe("kept\n");
  expect(world.storage.setupFile.read()).toBe(secret);
});
