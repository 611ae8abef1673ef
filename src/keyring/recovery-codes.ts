import { randomBytes } from "node:crypto";
import type { RecoveryCodes } from "../control/proof-ports.ts";
import type { Mac } from "./data-key-ring.ts";
import type { Keyring } from "./keyring.ts";

const COUNT = 10;
const CODE_BYTES = 16;
/** RFC 4648 base32 in small letters: no 0, 1 or 8 to mistake for a letter. 26 characters hold 128 bits and 2 zeros. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const CODE = /^[a-z2-7]{26}$/;
/** What a person may type around and between the groups. */
const MAX_TYPED = 64;

/** 128 random bits need no slow hash; the pepper keeps a stolen database from being enough to know one. */
export function createRecoveryCodes(keyring: Keyring): RecoveryCodes {
  return {
    make() {
      const [mac] = keyring.macs("login-pepper");
      const codes = Array.from({ length: COUNT }, () => base32(randomBytes(CODE_BYTES)));
      return { shown: codes.map(inGroups), macs: codes.map((code) => macOf(mac, code)) };
    },
    macs(text) {
      if (text.length > MAX_TYPED) return null;
      const code = text.replace(/[ -]/g, "").toLowerCase();
      return CODE.test(code) ? keyring.macs("login-pepper").map((mac) => macOf(mac, code)) : null;
    },
  };
}

/** Apart from a password's digest under the same key. */
function macOf(mac: Mac, code: string): Buffer {
  return mac.digest(`recovery-code!${code}`);
}

function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const quintets = bits.match(/.{1,5}/g) ?? [];
  return quintets.map((quintet) => ALPHABET.charAt(Number.parseInt(quintet.padEnd(5, "0"), 2))).join("");
}

function inGroups(code: string): string {
  return (code.match(/.{6}$|.{5}/g) ?? []).join("-");
}
