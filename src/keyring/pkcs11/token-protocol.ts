import type { MasterKeyProblem } from "../keyring-error.ts";

/** Which key of which token, and what opens it. */
export type TokenPlace = {
  /** Absolute path of the vendor's PKCS#11 library. */
  readonly modulePath: string;
  readonly tokenLabel: string;
  readonly keyLabel: string;
  /** Absolute path of a file that holds the user's PIN, 0600. */
  readonly pinFile: string;
  /** Remembers that a PIN is being tried, see pin-file.ts. */
  readonly triedPinFile: string;
};

/** `keyId` is the id of the master key (MasterKey.id); bytes are base64. */
export type TokenOrder =
  /** The key that has the id; with null the only key of the label, which is made when there is none. */
  | { readonly kind: "find"; readonly keyId: string | null }
  /** One more key under the label. */
  | { readonly kind: "generate" }
  | { readonly kind: "encrypt"; readonly keyId: string; readonly aad: string; readonly plain: string }
  | { readonly kind: "decrypt"; readonly keyId: string; readonly aad: string; readonly sealed: string };

/** One line of JSON on the command's stdin; answers come in the same order, one line each. */
export type TokenRequest = { readonly place: TokenPlace; readonly order: TokenOrder };

export type TokenAnswer =
  /** The id of a key, or bytes; null when the bytes are not authentic. */
  | { readonly kind: "value"; readonly value: string | null }
  /** Only a person can mend it. */
  | { readonly kind: "refused"; readonly problem: MasterKeyProblem; readonly subject: string; readonly fact: string }
  /** It may be back later. */
  | { readonly kind: "gone"; readonly fact: string };

/** Longer than any line: an order holds one data key and its address. */
export const MAX_LINE_BYTES = 65_536;
