import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Tokens, TokenType } from "../control/proof-ports.ts";
import { CLIENT_KEY_RANDOM_BYTES, composeClientKey, parseClientKey } from "../domain/access/client-key.ts";
import type { Mac } from "./data-key-ring.ts";
import type { Keyring } from "./keyring.ts";

const SESSION_BYTES = 32;
const SESSION_ID_BYTES = 12;
const CSRF_RANDOM_BYTES = 16;
const COOKIE = /^[A-Za-z0-9_-]{43}$/;
const CSRF = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})$/;

export function createTokens(keyring: Keyring): Tokens {
  return {
    newSession() {
      const cookie = randomBytes(SESSION_BYTES).toString("base64url");
      return { id: randomBytes(SESSION_ID_BYTES).toString("base64url"), cookie, hash: sha256(cookie) };
    },
    // A plain hash is enough for 256 random bits: nobody guesses them, and equal hashes are found without comparing secrets.
    sessionHash: (cookie) => (COOKIE.test(cookie) ? sha256(cookie) : null),

    csrfFor(hash) {
      const [mac] = keyring.macs("session-mac");
      const random = randomBytes(CSRF_RANDOM_BYTES).toString("base64url");
      return `${csrfMac(mac, hash, random)}.${random}`;
    },
    isCsrf(hash, presented) {
      const found = CSRF.exec(presented);
      if (found === null) return false;
      const [, mac = "", random = ""] = found;
      return keyring.macs("session-mac").some((key) => isSameText(csrfMac(key, hash, random), mac));
    },

    mintToken(type) {
      const [mac] = keyring.macs("apikey-pepper");
      return mint(mac, type);
    },
    tokenMac(text) {
      const parsed = parseClientKey(text);
      if (!parsed.ok || parsed.value.type === "sk") return null;
      const macs = keyring.macs("apikey-pepper").map((mac) => mac.digest(text));
      return { id: parsed.value.keyId, type: parsed.value.type, macs };
    },
  };
}

function mint(mac: Mac, type: TokenType): ReturnType<Tokens["mintToken"]> {
  const random = randomBytes(CLIENT_KEY_RANDOM_BYTES);
  const text = composeClientKey(type, random);
  random.fill(0);
  const parsed = parseClientKey(text);
  if (!parsed.ok) throw new Error(`Cannot mint a token: the composed text has a bad ${parsed.error}`);
  return { id: parsed.value.keyId, text, mac: mac.digest(text), pepperVersion: mac.version };
}

/** OWASP, signed double submit: bound to the session, lengths first so that no two pairs give the same text. */
function csrfMac(mac: Mac, sessionHash: Uint8Array, random: string): string {
  const session = Buffer.from(sessionHash).toString("hex");
  return mac.digest(`${session.length}!${session}!${random.length}!${random}`).toString("base64url");
}

/** As text: several spellings of base64url hold the same bytes. */
function isSameText(expected: string, presented: string): boolean {
  return timingSafeEqual(Buffer.from(expected, "ascii"), Buffer.from(presented, "ascii"));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
