import { timingSafeEqual } from "node:crypto";
import { HOTP, Secret as Seed, TOTP } from "otpauth";
import type { Totp } from "../control/proof-ports.ts";
import type { EnvelopeAddress } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";

const ISSUER = "better-ccflare";
const ALGORITHM = "SHA1";
const DIGITS = 6;
const PERIOD_SECONDS = 30;
/** RFC 4226 section 4 asks for 160 bits. */
const SEED_BYTES = 20;
/** RFC 6238 section 5.2: one step back for the network, one ahead for the clock. */
const STEPS = [-1, 0, 1] as const;

/** Apps show "123 456". Nothing but ASCII digits otherwise: a full-width one is no digit of ours. */
const CODE = /^[0-9]{3} ?[0-9]{3}$/;

type Steps = { readonly present: number; readonly lastUsed: number };

export function createTotp(keyring: Keyring): Totp {
  return {
    enrol(userId, label) {
      const seed = new Seed({ size: SEED_BYTES });
      const totp = new TOTP({ issuer: ISSUER, label, secret: seed, algorithm: ALGORITHM, digits: DIGITS });
      const sealed = keyring.seal("totp", addressOf(userId), Buffer.from(seed.base32, "ascii"));
      return { uri: totp.toString(), secret: seed.base32, sealed };
    },

    // biome-ignore lint/complexity/useMaxParams: the port's signature.
    check(userId, sealed, code, lastUsedStep, nowMs) {
      const opened = keyring.open("totp", addressOf(userId), sealed);
      const digits = code.trim();
      if (!opened.ok || !CODE.test(digits)) return null;
      const seed = Seed.fromBase32(opened.value.reveal());
      return provenStep(seed, digits.replace(" ", ""), {
        present: Math.floor(nowMs / 1000 / PERIOD_SECONDS),
        lastUsed: lastUsedStep ?? Number.NEGATIVE_INFINITY,
      });
    },
  };
}

/** Every step is compared whole, whichever matched, so that the time says nothing about a digit. */
function provenStep(seed: Seed, code: string, steps: Steps): number | null {
  const presented = Buffer.from(code, "ascii");
  let proven: number | null = null;
  for (const offset of STEPS) {
    const counter = steps.present + offset;
    const expected = HOTP.generate({ secret: seed, algorithm: ALGORITHM, digits: DIGITS, counter });
    const isSame = timingSafeEqual(Buffer.from(expected, "ascii"), presented);
    if (isSame && counter > steps.lastUsed) proven = counter;
  }
  return proven;
}

function addressOf(userId: string): EnvelopeAddress {
  return { table: "users", column: "totp_seed", rowId: userId, generation: 1 };
}
