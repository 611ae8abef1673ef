import { createHmac, randomBytes } from "node:crypto";
import type { Secret } from "../kernel/secret.ts";

/** A part of a text, from `start` to before `end`. `isCut`: the text ends before the secret does. */
export type SecretSpan = { readonly start: number; readonly end: number; readonly isCut: boolean };

export type LiveSecrets = {
  /** From now on `find` knows it: as it is, and as base64, hex, percent-encoded and inside JSON. */
  add(secret: Secret): void;
  /** Where in `text` a known secret stands, in order, without overlap. */
  find(text: string): readonly SecretSpan[];
  /** Characters of the longest form that is known. */
  longest(): number;
};

const GRAM = 8;
/** So much of a secret at the end of a text is enough to call it one that was cut. */
const HEAD = 16;
/** Shorter ones would be found in ordinary words. */
const MIN_CHARACTERS = 12;
/** As long as the longest credential that an account may have. */
const MAX_CHARACTERS = 8192;
/** Beyond, the oldest is forgotten: some 1 KB each. */
const MAX_SECRETS = 4096;

const FILTER_BITS = 1 << 18;
const BASE = 0x01000193;
/** BASE to the power GRAM - 1: what leaves the window. */
const LEAVING = Array.from({ length: GRAM - 1 }).reduce((power: number) => Math.imul(power, BASE), 1);
const NONE: readonly SecretSpan[] = [];

/** One spelling of a secret, by fingerprints alone: whoever reads this memory learns no secret from it. */
type Form = { readonly length: number; readonly whole: string; readonly head: string };

/**
 * The exact secrets of this process, so that the log can leave them out whatever they look like. A filter over the hash of
 * every 8 characters says where to look; a keyed fingerprint of the whole decides.
 */
export function createLiveSecrets(maxSecrets: number = MAX_SECRETS): LiveSecrets {
  const key = randomBytes(32);
  const fingerprint = (text: string) => createHmac("sha256", key).update(text).digest("base64");
  const known = new Map<string, readonly number[]>();
  const forms = new Map<number, Form[]>();
  const filter = new Uint32Array(FILTER_BITS / 32);
  let longest = 0;

  const forget = (id: string, hashes: readonly number[]): void => {
    known.delete(id);
    // The filter keeps its bits: they cost a look-up, and find nothing.
    for (const hash of hashes) forms.get(hash)?.shift();
  };

  return {
    add(secret) {
      const text = secret.reveal();
      if (text.length < MIN_CHARACTERS || text.length > MAX_CHARACTERS) return;
      const id = fingerprint(text);
      if (known.has(id)) return;
      const hashes: number[] = [];
      for (const form of formsOf(text)) {
        const hash = hashAt(form, 0);
        const row = forms.get(hash) ?? [];
        row.push({ length: form.length, whole: fingerprint(form), head: fingerprint(form.slice(0, HEAD)) });
        forms.set(hash, row);
        hashes.push(hash);
        filter[wordOf(hash)] = (filter[wordOf(hash)] ?? 0) | bitOf(hash);
        longest = Math.max(longest, form.length);
      }
      known.set(id, hashes);
      for (const [oldest, of] of known) {
        if (known.size <= maxSecrets) break;
        forget(oldest, of);
      }
    },
    find(text) {
      if (known.size === 0 || text.length < GRAM) return NONE;
      const found: SecretSpan[] = [];
      let hash = hashAt(text, 0);
      for (let at = 0; ; at += 1) {
        const isCandidate = ((filter[wordOf(hash)] ?? 0) & bitOf(hash)) !== 0;
        const span = isCandidate ? spanAt(text, at, forms.get(hash) ?? []) : null;
        if (span !== null && span.start >= (found.at(-1)?.end ?? 0)) found.push(span);
        if (at + GRAM >= text.length) return found.length === 0 ? NONE : found;
        hash = rolled(hash, text.charCodeAt(at), text.charCodeAt(at + GRAM));
      }
    },
    longest: () => longest,
  };

  function spanAt(text: string, at: number, candidates: readonly Form[]): SecretSpan | null {
    let best: SecretSpan | null = null;
    let isCut = false;
    for (const { length, whole, head } of candidates) {
      const rest = text.length - at;
      if (rest >= length && fingerprint(text.slice(at, at + length)) === whole) {
        if (best === null || at + length > best.end) best = { start: at, end: at + length, isCut: false };
      } else if (rest < length && rest >= HEAD && fingerprint(text.slice(at, at + HEAD)) === head) {
        isCut = true;
      }
    }
    // Two spellings may begin alike: one that is there as a whole is the one that was meant.
    return best ?? (isCut ? { start: at, end: text.length, isCut } : null);
  }
}

/** Every spelling in which the text may turn up, each once. */
function formsOf(text: string): ReadonlySet<string> {
  const bytes = Buffer.from(text, "utf8");
  const percent = encodeURIComponent(bytes.toString("utf8"));
  const forms = [
    text,
    JSON.stringify(text).slice(1, -1),
    percent,
    percent.replaceAll(/%[0-9A-F]{2}/gu, (each) => each.toLowerCase()),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...[0, 1, 2].flatMap((shift) => base64Within(bytes, shift)),
  ];
  return new Set(forms.filter((form) => form.length >= MIN_CHARACTERS));
}

/** What is the same in the base64 of anything that holds the bytes at an offset of `shift` modulo 3. */
function base64Within(bytes: Buffer, shift: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
  const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString("base64");
  const inner = whole.slice(shift === 0 ? 0 : 4);
  return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
}

// hot path
function hashAt(text: string, at: number): number {
  let hash = 0;
  for (let next = at; next < at + GRAM; next += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(next)) | 0;
  return hash;
}

// hot path
function rolled(hash: number, leaving: number, entering: number): number {
  return (Math.imul(hash - Math.imul(leaving, LEAVING), BASE) + entering) | 0;
}

function wordOf(hash: number): number {
  return (hash >>> 5) & (FILTER_BITS / 32 - 1);
}

function bitOf(hash: number): number {
  return 1 << (hash & 31);
}
