import type { Result } from "../kernel/result.ts";
import type { EpochMs } from "../kernel/time.ts";

/** What a password is judged by besides itself. */
export type PasswordContext = {
  /** The user's name and whatever else anybody would guess first. */
  readonly words: readonly string[];
  /** With a second factor 8 characters are enough, without one it takes 15. */
  readonly hasMfa: boolean;
};

export type PasswordMatch = {
  readonly matches: boolean;
  /** It was hashed with other costs or an older pepper: hash it anew while it is known. False when it does not match. */
  readonly isOutdated: boolean;
};

/** busy: two are hashed and sixteen wait already. Each takes 128 MiB and about 0.4 s. */
export interface Passwords {
  /** Why nobody should have this password, for the person who chose it; null when it may be taken. */
  problem(password: string, context: PasswordContext): string | null;
  /** A PHC string, `$scrypt$ln=17,r=8,p=1,keyid=<pepper>$<salt>$<hash>`. */
  hash(password: string): Promise<Result<string, "busy">>;
  /** `stored` null: takes the same time and matches nothing. */
  verify(password: string, stored: string | null): Promise<Result<PasswordMatch, "busy">>;
}

export type TotpEnrolment = {
  /** `otpauth://totp/...`, for the QR code of the one answer that shows it. */
  readonly uri: string;
  /** The same seed in base32, for typing it in. */
  readonly secret: string;
  /** The seed's envelope, bound to the user. */
  readonly sealed: Uint8Array;
};

/** RFC 6238: SHA-1, 6 digits, 30 s. */
export interface Totp {
  enrol(userId: string, label: string): TotpEnrolment;
  /**
   * The step that the code proves: the present one or a neighbour, above `lastUsedStep`
   * (null: none was used yet). Null when it proves nothing.
   */
  check(userId: string, sealed: Uint8Array, code: string, lastUsedStep: number | null, nowMs: EpochMs): number | null;
}

/** Ten codes of 128 bits, for who lost the second factor. */
export interface RecoveryCodes {
  make(): { readonly shown: readonly string[]; readonly macs: readonly Uint8Array[] };
  /** What the code may be stored as, one per pepper, the active one first. Null: not of the form. */
  macs(code: string): readonly Uint8Array[] | null;
}

/** ad: admin token. st: setup secret. */
export type TokenType = "ad" | "st";

export type NewSession = { readonly id: string; readonly cookie: string; readonly hash: Uint8Array };

export type MintedToken = {
  /** Public: shown in lists and logs. */
  readonly id: string;
  /** Given out once. */
  readonly text: string;
  readonly mac: Uint8Array;
  readonly pepperVersion: number;
};

export type PresentedToken = {
  readonly id: string;
  readonly type: TokenType;
  /** One per pepper, the active one first. */
  readonly macs: readonly Uint8Array[];
};

/** Opaque bearer secrets of 256 bits. */
export interface Tokens {
  /** `id` is public, `cookie` is given out once, `hash` (SHA-256) is what is stored. */
  newSession(): NewSession;
  /** Null: not of the form. */
  sessionHash(cookie: string): Uint8Array | null;
  /** What a request of this session must carry besides its cookie; another text each time, all of them good. */
  csrfFor(hash: Uint8Array): string;
  isCsrf(hash: Uint8Array, presented: string): boolean;
  mintToken(type: TokenType): MintedToken;
  /** Null: not of the form, or a client key. */
  tokenMac(text: string): PresentedToken | null;
}

export interface Proofs {
  readonly passwords: Passwords;
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly tokens: Tokens;
}
