import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Passwords } from "../control/proof-ports.ts";
import { MAX_PASSWORD_UNITS, normalPassword, passwordProblem } from "../domain/access/password-policy.ts";
import { openBreachedPasswords } from "./breached-passwords.ts";
import type { Mac } from "./data-key-ring.ts";
import type { Keyring } from "./keyring.ts";
import { formatPasswordHash, type PasswordHash, parsePasswordHash } from "./password-hash.ts";
import { createKdfQueue, deriveKey, type ScryptCost } from "./scrypt.ts";

/** OWASP password storage cheat sheet, scrypt: 128 MiB per guess. */
const COST: ScryptCost = { log2N: 17, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Two at once are 256 MiB and, of two cores, what the relay can spare; the last of sixteen waits about 4 s. */
const RUNNING = 2;
const WAITING = 16;

/** `cost` is another one in tests of a change of costs alone. */
export function createPasswords(keyring: Keyring, cost: ScryptCost = COST): Passwords {
  const isBreached = openBreachedPasswords();
  const inTurn = createKdfQueue({ running: RUNNING, waiting: WAITING });
  const decoy = decoyOf(keyring.macs("login-pepper")[0], cost);
  const decoyText = formatPasswordHash(decoy);
  return {
    problem: (password, context) => passwordProblem(password, { ...context, isBreached }),

    hash: (password) =>
      inTurn(async () => {
        const [mac] = keyring.macs("login-pepper");
        const salt = randomBytes(SALT_BYTES);
        const key = await deriveKey(peppered(mac, password), salt, cost);
        return formatPasswordHash({ cost, pepperVersion: mac.version, salt, key });
      }),

    verify: (password, stored) =>
      inTurn(async () => {
        const macs = keyring.macs("login-pepper");
        const [active] = macs;
        const hash = parsePasswordHash(stored ?? decoyText) ?? decoy;
        // Without its own pepper nothing matches, and it takes as long.
        const mac = macs.find(({ version }) => version === hash.pepperVersion) ?? active;
        const key = await deriveKey(peppered(mac, password), hash.salt, hash.cost);
        // A password that none can be is worked on all the same, and matches nothing.
        const matches = timingSafeEqual(key, hash.key) && password.length <= MAX_PASSWORD_UNITS;
        const isCurrent = hash.pepperVersion === active.version && isSameCost(hash.cost, cost);
        return { matches, isOutdated: matches && !isCurrent };
      }),
  };
}

/** What a user that does not exist is checked against. Nobody knows a password for it. */
function decoyOf({ version }: Mac, cost: ScryptCost): PasswordHash {
  return { cost, pepperVersion: version, salt: randomBytes(SALT_BYTES), key: randomBytes(HASH_BYTES) };
}

/** A stolen database alone allows no guessing: the key of this HMAC is not in it. Any length becomes 32 bytes. */
function peppered(mac: Mac, password: string): Buffer {
  return mac.digest(normalPassword(password.slice(0, MAX_PASSWORD_UNITS)));
}

function isSameCost(a: ScryptCost, b: ScryptCost): boolean {
  return a.log2N === b.log2N && a.r === b.r && a.p === b.p;
}
