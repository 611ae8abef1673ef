import { timingSafeEqual } from "node:crypto";
import { TOTP } from "otpauth";
import type { Proofs } from "../src/control/proof-ports.ts";
import { base62FromNumber } from "../src/domain/access/base62.ts";
import { composeClientKey, parseClientKey } from "../src/domain/access/client-key.ts";
import { crc32OfAscii } from "../src/domain/access/crc32.ts";
import { OPEN_GRANT } from "../src/domain/access/key-grant.ts";
import { NO_LIMITS } from "../src/domain/access/key-limits.ts";
import { epochMs } from "../src/kernel/time.ts";
import { createClientKeyMint } from "../src/keyring/client-key-mint.ts";
import { createClientKeyVerifier, type VerifiableKey } from "../src/keyring/client-key-verifier.ts";
import type { Keyring } from "../src/keyring/keyring.ts";
import { createPasswords } from "../src/keyring/passwords.ts";
import { createProofs } from "../src/keyring/proofs.ts";
import type { TimingSubject } from "./timing-probe.ts";

/** The operation, and one that tells the two kinds apart as a careless version of it would. */
export type TimingCase = {
  readonly id: string;
  readonly name: string;
  readonly subject: TimingSubject<string>;
  readonly control: TimingSubject<string>;
};

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL = `${BASE62}-_`;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const DIGITS = "0123456789";
/** Of `bccf_sk_<id 10><secret 43><crc 6>`. */
const SECRET_AT = 18;
const CRC_AT = 61;
/** So many that what a single one takes, always the same nanoseconds, does not decide about its kind. */
const MANY = 3000;
/** A few nanoseconds a character: sixteen times that is beyond the clock's grain. */
const CONTROL_REPEAT = 16;

export async function timingCases(keyring: Keyring): Promise<readonly TimingCase[]> {
  const proofs = createProofs(keyring);
  return [
    ...keyCases(keyring),
    await userCase(keyring),
    csrfCase(proofs),
    sessionCase(proofs),
    totpCase(proofs),
    recoveryCase(proofs),
    setupCase(proofs),
  ];
}

function keyCases(keyring: Keyring): readonly TimingCase[] {
  const verifier = createClientKeyVerifier(keyring, () => epochMs(0));
  const mint = createClientKeyMint(keyring);
  const create = (changes: Partial<VerifiableKey>): string => {
    const minted = mint.create();
    const { id, hmac, pepperVersion } = minted;
    const access = { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: id };
    const record = { id, name: "key", hmac, pepperVersion, access, revokedAtMs: null, expiresAtMs: null };
    verifier.set({ ...record, ...changes });
    return mint.disclose(minted);
  };
  const known = create({});
  const run = (text: string): unknown => verifier.verify(text);
  const positions = wrongAt(known, BASE62, [SECRET_AT, CRC_AT - 1], withChecksum);
  const [others, revoked, strangers, more] = [[], [], [], []] as [string[], string[], string[], string[]];
  for (let at = 0; at < MANY; at += 1) {
    const stranger = composeClientKey("sk", randomBytes(96));
    others.push(withChecksum(create({}).slice(0, SECRET_AT) + stranger.slice(SECRET_AT)));
    strangers.push(withChecksum(stranger));
    revoked.push(withChecksum(create({ revokedAtMs: epochMs(0) })));
    more.push(withChecksum(composeClientKey("sk", randomBytes(96))));
  }
  const isKnown = new Set(others.map(idOf));
  const wasRevoked = new Set(revoked.map(idOf));
  const [mac] = keyring.macs("apikey-pepper");
  // As long as the id is unknown nothing is computed: that is what gives it away.
  const hasty = (ids: ReadonlySet<string>) => (text: string) => (ids.has(idOf(text)) ? mac.digest(text) : null);
  return [
    {
      id: "T-29.01",
      name: "client key, first or last character of the secret wrong",
      subject: { name: "verify", copy: flat, inputs: positions, run },
      control: naive("key", positions, known),
    },
    {
      id: "T-29.02",
      name: "client key, id known or not",
      subject: { name: "verify", copy: flat, inputs: [others, strangers], run },
      control: { name: "hasty", inputs: [others, strangers], run: hasty(isKnown) },
    },
    {
      id: "T-29.03",
      name: "client key, revoked or never made",
      subject: { name: "verify", copy: flat, inputs: [revoked, more], run },
      control: { name: "hasty", inputs: [revoked, more], run: hasty(wasRevoked) },
    },
  ];
}

/** At the least cost: with the real one a difference of a microsecond would drown in a third of a second. */
async function userCase(keyring: Keyring): Promise<TimingCase> {
  const passwords = createPasswords(keyring, { log2N: 1, r: 8, p: 1 });
  const hashed = await passwords.hash("the right password");
  if (!hashed.ok) throw new Error("Cannot hash a password: busy");
  const inputs = [["known"], ["unknown"]] as const;
  const storedOf = (user: string): string | null => (user === "known" ? hashed.value : null);
  return {
    id: "T-29.04",
    name: "password, user known or not",
    subject: {
      name: "verify",
      copy: flat,
      inputs,
      run: (user) => passwords.verify("a wrong password", storedOf(user)),
    },
    control: {
      name: "no work for nobody",
      inputs,
      run: (user) => (user === "known" ? passwords.verify("a wrong password", hashed.value) : Promise.resolve()),
    },
  };
}

function csrfCase({ tokens }: Proofs): TimingCase {
  const { hash } = tokens.newSession();
  const token = tokens.csrfFor(hash);
  const inputs = wrongAt(token, BASE64URL, [0, 42]);
  return {
    id: "T-29.05",
    name: "CSRF token, first or last character of the MAC wrong",
    subject: { name: "isCsrf", copy: flat, inputs, run: (text) => tokens.isCsrf(hash, text) },
    control: naive("CSRF", inputs, token),
  };
}

function sessionCase({ tokens }: Proofs): TimingCase {
  const sessions = new Map<string, number>();
  const add = (): string => {
    const { cookie, hash } = tokens.newSession();
    sessions.set(hexOf(hash), sessions.size);
    return cookie;
  };
  const mine = add();
  for (let at = 0; at < MANY; at += 1) add();
  const inputs = wrongAt(mine, BASE64URL, [0, 42]);
  const run = (cookie: string): unknown => sessions.get(hexOf(tokens.sessionHash(cookie) ?? new Uint8Array()));
  return {
    id: "T-29.06",
    name: "session, first or last character of the cookie wrong",
    subject: { name: "sessionHash and look-up", copy: flat, inputs, run },
    control: naive("session", inputs, mine),
  };
}

function totpCase({ totp }: Proofs): TimingCase {
  const nowMs = epochMs(1_763_900_000_000);
  const { sealed, secret } = totp.enrol("user", "user");
  const code = new TOTP({ secret }).generate({ timestamp: nowMs });
  const inputs = wrongAt(code, DIGITS, [0, 5]);
  return {
    id: "T-29.07",
    name: "one-time code, first or last digit wrong",
    subject: { name: "check", copy: flat, inputs, run: (text) => totp.check("user", sealed, text, null, nowMs) },
    control: naive("code", inputs, code),
  };
}

function recoveryCase({ recoveryCodes }: Proofs): TimingCase {
  const { shown, macs } = recoveryCodes.make();
  const code = shown[0] ?? "";
  const inputs = wrongAt(code, BASE32, [0, 29]);
  return {
    id: "T-29.08",
    name: "recovery code, first or last group wrong",
    subject: { name: "macs and compare", copy: flat, inputs, run: (text) => hasAny(macs, recoveryCodes.macs(text)) },
    control: naive("recovery code", inputs, code),
  };
}

function setupCase({ tokens }: Proofs): TimingCase {
  const { text, mac } = tokens.mintToken("st");
  const inputs = wrongAt(text, BASE62, [SECRET_AT, CRC_AT - 1], withChecksum);
  return {
    id: "T-29.08",
    name: "setup secret, first or last character wrong",
    subject: {
      name: "tokenMac and compare",
      copy: flat,
      inputs,
      run: (other) => hasAny([mac], tokens.tokenMac(other)?.macs),
    },
    control: naive("setup secret", inputs, text),
  };
}

/** Compares as nobody should: it stops at the first difference. */
function naive(name: string, inputs: TimingSubject<string>["inputs"], secret: string): TimingSubject<string> {
  const run = (text: string): boolean => {
    for (let at = 0; at < secret.length; at += 1) if (secret.charCodeAt(at) !== text.charCodeAt(at)) return false;
    return true;
  };
  return { name: `naive ${name}`, inputs, run, repeat: CONTROL_REPEAT };
}

/** The text with another character here, and there: made in turn, so that neither kind has the better memory. */
function wrongAt(
  text: string,
  alphabet: string,
  places: readonly [first: number, last: number],
  finish = flat,
): readonly [string[], string[]] {
  const [first, last] = places;
  const kinds: [string[], string[]] = [[], []];
  const replaced = (at: number, sign: string): string => finish(text.slice(0, at) + sign + text.slice(at + 1));
  const signsFor = (at: number): readonly string[] => [...alphabet].filter((sign) => sign !== text.charAt(at));
  const lastSigns = signsFor(last);
  for (const [turn, sign] of signsFor(first).entries()) {
    kinds[0].push(replaced(first, sign));
    kinds[1].push(replaced(last, lastSigns[turn] ?? ""));
  }
  return kinds;
}

/** A wrong key with a right checksum: with a wrong one nothing of the secret would be looked at. */
function withChecksum(key: string): string {
  return flat(key.slice(0, CRC_AT) + base62FromNumber(crc32OfAscii(key, CRC_AT), 6));
}

/** Engines keep a concatenation in parts until somebody reads it. */
function flat(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

function idOf(key: string): string {
  const parsed = parseClientKey(key);
  return parsed.ok ? parsed.value.keyId : "";
}

function hasAny(stored: readonly Uint8Array[], presented: readonly Uint8Array[] | null | undefined): boolean {
  let found = false;
  for (const mac of presented ?? []) for (const one of stored) if (timingSafeEqual(one, mac)) found = true;
  return found;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}
