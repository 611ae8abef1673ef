import { describe, expect, test } from "bun:test";
import type { Totp } from "../control/proof-ports.ts";
import { epochMs } from "../kernel/time.ts";
import { freshKeyring } from "./fresh-keyring.test.ts";
import type { Keyring } from "./keyring.ts";
import { createTotp } from "./totp.ts";

const USER = "01939b7e-0000-7000-8000-000000000001";
const STEP_MS = 30_000;
const oathtool = Bun.which("oathtool");

/** As if this user had enrolled with this seed. */
function sealed(keyring: Keyring, base32: string, userId = USER): Uint8Array {
  const address = { table: "users", column: "totp_seed", rowId: userId, generation: 1 };
  return keyring.seal("totp", address, Buffer.from(base32, "ascii"));
}

async function enrolled(base32: string) {
  const keyring = await freshKeyring();
  const totp: Totp = createTotp(keyring);
  const envelope = sealed(keyring, base32);
  const check = (code: string, nowMs: number, lastUsedStep: number | null = null) =>
    totp.check(USER, envelope, code, lastUsedStep, epochMs(nowMs));
  return { keyring, totp, envelope, check };
}

/** The seed of RFC 6238, appendix B: "12345678901234567890". */
const RFC_SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

test.each([
  // The last six of the eight digits of appendix B, SHA-1.
  { seconds: 59, code: "287082" },
  { seconds: 1111111109, code: "081804" },
  { seconds: 1111111111, code: "050471" },
  { seconds: 1234567890, code: "005924" },
  { seconds: 2000000000, code: "279037" },
  { seconds: 20000000000, code: "353130" },
])("T-9.01 RFC 6238 at $seconds s", async ({ seconds, code }) => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(code, seconds * 1000)).toBe(Math.floor(seconds / 30));
});

// `oathtool` (Debian package of the same name) is another implementation; without it there is nothing to compare with.
test.skipIf(oathtool === null)("T-9.01 1,000 codes are those of oathtool, ten seeds at a hundred times", async () => {
  for (let round = 0; round < 10; round += 1) {
    const keyring = await freshKeyring();
    const totp = createTotp(keyring);
    const { secret, sealed: envelope } = totp.enrol(USER, "bob");
    const startSeconds = Math.floor(Math.random() * 4_000_000_000);
    const command = [oathtool ?? "", "--totp", "--base32", secret, "--window=99", `--now=@${startSeconds}`];
    const codes = Bun.spawnSync(command).stdout.toString().trim().split("\n");
    expect(codes.length).toBe(100);
    for (const [at, code] of codes.entries()) {
      const nowMs = epochMs(startSeconds * 1000 + at * STEP_MS);
      const step = Math.floor(nowMs / STEP_MS);
      // One above the step before: the neighbour with the same digits, if there is one, does not stand in for it.
      expect(totp.check(USER, envelope, code, step - 1, nowMs)).toBe(step);
    }
  }
});

const NOW_MS = 1_111_111_109_000;
const NOW_STEP = Math.floor(NOW_MS / STEP_MS);
const NOW_CODE = "081804";

test("T-9.02 a code that was used once proves nothing again in its step", async () => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(NOW_CODE, NOW_MS, NOW_STEP - 1)).toBe(NOW_STEP);
  expect(check(NOW_CODE, NOW_MS, NOW_STEP)).toBeNull();
});

test.each([
  [-2, false],
  [-1, true],
  [0, true],
  [1, true],
  [2, false],
])("T-9.03 a code of %d steps from now: %p", async (offset, isGood) => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(NOW_CODE, NOW_MS - offset * STEP_MS)).toBe(isGood ? NOW_STEP : null);
});

test("T-9.04 the code of the step before is nothing once the present one was used", async () => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(NOW_CODE, NOW_MS + STEP_MS, NOW_STEP + 1)).toBeNull();
  expect(check(NOW_CODE, NOW_MS + STEP_MS, null)).toBe(NOW_STEP);
});

describe("T-9.06 how a code is written:", () => {
  test.each([
    ["081804", true],
    ["081 804", true],
    [" 081804 ", true],
    ["81804", false],
    ["0 8 1 8 0 4", false],
    ["081-804", false],
    ["０８１８０４", false],
    ["٠٨١٨٠٤", false],
    ["0818040", false],
    ["0081804", false],
    ["+81804", false],
    ["8.1804e4", false],
    ["", false],
    ["0".repeat(1_000_000), false],
  ])("%j is taken: %p", async (code, isTaken) => {
    const { check } = await enrolled(RFC_SEED);
    expect(check(code, NOW_MS)).toBe(isTaken ? NOW_STEP : null);
  });
});

test("T-9.07 the seed has 160 bits, is in no envelope in the clear, and opens for its own user alone", async () => {
  const keyring = await freshKeyring();
  const totp = createTotp(keyring);
  const { uri, secret, sealed: envelope } = totp.enrol(USER, "bob");
  expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(uri).toBe(
    `otpauth://totp/better-ccflare:bob?issuer=better-ccflare&secret=${secret}&algorithm=SHA1&digits=6&period=30`,
  );
  expect(Buffer.from(envelope).includes(secret)).toBe(false);
  const code = codeOf(secret, 1_700_000_000_000);
  const now = epochMs(1_700_000_000_000);
  expect(totp.check(USER, envelope, code, null, now)).not.toBeNull();
  // The row's envelope was moved to another user; or it was changed; or it is another installation's.
  expect(totp.check(`${USER.slice(0, -1)}2`, envelope, code, null, now)).toBeNull();
  expect(
    totp.check(
      USER,
      envelope.map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
      code,
      null,
      now,
    ),
  ).toBeNull();
  expect(createTotp(await freshKeyring()).check(USER, envelope, code, null, now)).toBeNull();
  expect(totp.enrol(USER, "bob").secret).not.toBe(secret);
});

test("T-9.07 a name cannot put parameters into the URI", async () => {
  const { uri } = createTotp(await freshKeyring()).enrol(USER, "bob?secret=AAAA&issuer=x#");
  expect(new URL(uri).searchParams.getAll("secret").length).toBe(1);
  expect(new URL(uri).searchParams.get("issuer")).toBe("better-ccflare");
});

test.each([
  [-90_000, false],
  [-60_000, false],
  [-30_000, true],
  [30_000, true],
  [60_000, false],
  [90_000, false],
])("T-9.11 a clock that is %d ms off: %p", async (offMs, isGood) => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(NOW_CODE, NOW_MS + offMs) !== null).toBe(isGood);
});

test("T-9.11 a clock before 1970 proves nothing and breaks nothing", async () => {
  const { check } = await enrolled(RFC_SEED);
  expect(check(NOW_CODE, -90_000)).toBeNull();
});

/** By the clock of RFC 6238, written apart from the product's library. */
function codeOf(base32: string, nowMs: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...base32].map((sign) => alphabet.indexOf(sign).toString(2).padStart(5, "0")).join("");
  const seed = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / STEP_MS)));
  const digest = new Bun.CryptoHasher("sha1", seed).update(counter).digest();
  const offset = (digest[19] ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
