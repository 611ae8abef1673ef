import { expect, test } from "bun:test";
import { epochMs } from "../kernel/time.ts";
import { freshKeyring } from "./fresh-keyring.test.ts";
import { createProofs } from "./proofs.ts";

test("T-4.02 100,000 sessions have 256 bits each and no two are the same", async () => {
  const { tokens } = createProofs(await freshKeyring());
  const seen = new Set<string>();
  for (let round = 0; round < 100_000; round += 1) {
    const { id, cookie } = tokens.newSession();
    seen.add(id).add(cookie);
    if (round % 1000 === 0) expect(Buffer.from(cookie, "base64url").length).toBe(32);
  }
  expect(seen.size).toBe(200_000);
});

test("T-4.02 each of the 256 bits is set in half of the sessions", async () => {
  const { tokens } = createProofs(await freshKeyring());
  const counts = new Array<number>(256).fill(0);
  const rounds = 10_000;
  for (let round = 0; round < rounds; round += 1) {
    const bytes = Buffer.from(tokens.newSession().cookie, "base64url");
    for (let bit = 0; bit < 256; bit += 1)
      counts[bit] = (counts[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1);
  }
  // Six standard deviations: once in a million runs.
  for (const count of counts) expect(Math.abs(count - rounds / 2)).toBeLessThan(3 * Math.sqrt(rounds));
});

test("T-4.06 a session is found by the hash of its cookie, and what has no form has none", async () => {
  const { tokens } = createProofs(await freshKeyring());
  const { cookie, hash, id } = tokens.newSession();
  expect(tokens.sessionHash(cookie)).toEqual(hash);
  expect(hash.length).toBe(32);
  expect(Buffer.from(hash).toString("base64url")).not.toContain(cookie);
  expect(cookie).not.toContain(id);
  for (const text of [
    "",
    cookie.slice(1),
    `${cookie}=`,
    ` ${cookie}`,
    "__proto__",
    "*",
    "session:",
    "x".repeat(8192),
  ]) {
    expect(tokens.sessionHash(text)).toBeNull();
  }
});

test("a CSRF token is good for its own session alone, and for every spelling but its own bad", async () => {
  const { tokens } = createProofs(await freshKeyring());
  const [mine, other] = [tokens.newSession().hash, tokens.newSession().hash];
  const token = tokens.csrfFor(mine);
  expect(tokens.csrfFor(mine)).not.toBe(token);
  expect(tokens.isCsrf(mine, token)).toBe(true);
  expect(tokens.isCsrf(other, token)).toBe(false);
  for (let at = 0; at < token.length; at += 1) {
    const wrong = token.charAt(at) === "A" ? "B" : "A";
    expect(tokens.isCsrf(mine, token.slice(0, at) + wrong + token.slice(at + 1))).toBe(false);
  }
  for (const text of ["", ".", `${token}A`, token.replace(".", ""), ` ${token}`]) {
    expect(tokens.isCsrf(mine, text)).toBe(false);
  }
});

test("a CSRF token of before a rotation goes on until the old key is gone", async () => {
  const keyring = await freshKeyring();
  const { tokens } = createProofs(keyring);
  const { hash } = tokens.newSession();
  const token = tokens.csrfFor(hash);
  const before = keyring.macs("session-mac")[0].version;
  keyring.ring.promote((await keyring.ring.draw("session-mac", epochMs(1))).open);
  expect(tokens.isCsrf(hash, token)).toBe(true);
  keyring.ring.forget(before);
  expect(tokens.isCsrf(hash, token)).toBe(false);
});

test("a token is known by its HMAC, also after a rotation of the pepper", async () => {
  const keyring = await freshKeyring();
  const { tokens } = createProofs(keyring);
  for (const type of ["ad", "st"] as const) {
    const minted = tokens.mintToken(type);
    expect(minted.text).toStartWith(`bccf_${type}_${minted.id}`);
    expect(tokens.tokenMac(minted.text)).toMatchObject({ id: minted.id, type });
    keyring.ring.promote((await keyring.ring.draw("apikey-pepper", epochMs(1))).open);
    expect(tokens.tokenMac(minted.text)?.macs.some((mac) => Buffer.from(minted.mac).equals(mac))).toBe(true);
  }
});

test("neither a client key nor noise nor a wrong checksum is a token", async () => {
  const { tokens } = createProofs(await freshKeyring());
  const { text } = tokens.mintToken("ad");
  for (const wrong of ["", text.replace("_ad_", "_sk_"), `${text.slice(0, -1)}~`, text.slice(0, -1), `${text}0`]) {
    expect(tokens.tokenMac(wrong)).toBeNull();
  }
});
