import type { ScryptCost } from "./scrypt.ts";

export type PasswordHash = {
  readonly cost: ScryptCost;
  /** The data key that the password was mixed with before scrypt. */
  readonly pepperVersion: number;
  readonly salt: Buffer;
  readonly key: Buffer;
};

const PHC =
  /^\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2}),keyid=([0-9]{1,10})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** More than that would be a way to exhaust memory: 128 * 2^20 * 8 bytes is 1 GiB. */
const MAX_LOG2_N = 20;
const MAX_R = 16;
const MAX_P = 16;

/** @see the PHC string format: `$scrypt$ln=17,r=8,p=1,keyid=<pepper>$<salt>$<hash>`, base64 without padding. */
export function formatPasswordHash({ cost, pepperVersion, salt, key }: PasswordHash): string {
  const parameters = `ln=${cost.log2N},r=${cost.r},p=${cost.p},keyid=${pepperVersion}`;
  return `$scrypt$${parameters}$${unpadded(salt)}$${unpadded(key)}`;
}

/** Null when it is not one, or asks for more than any of ours did. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const found = PHC.exec(text);
  if (found === null) return null;
  const [log2N = 0, r = 0, p = 0, pepperVersion = 0] = found.slice(1, 5).map(Number);
  const isPossible = log2N >= 1 && log2N <= MAX_LOG2_N && r >= 1 && r <= MAX_R && p >= 1 && p <= MAX_P;
  if (!isPossible) return null;
  const salt = Buffer.from(found[5] ?? "", "base64");
  const key = Buffer.from(found[6] ?? "", "base64");
  return { cost: { log2N, r, p }, pepperVersion, salt, key };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}
