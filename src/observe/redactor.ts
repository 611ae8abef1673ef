import { createHmac, randomBytes } from "node:crypto";

/** A part of a text; `isCut` when the text ends before the secret in it does. */
type Span = { readonly start: number; readonly end: number; readonly isCut: boolean };

/** Finds the exact secrets that this process holds. */
export type FindSecrets = (text: string) => readonly Span[];

/**
 * The second line of defence: records are typed and hold no secret, but an upstream's words or an error's message may.
 * A secret is replaced whole by `[redacted:<tag>]`. The same secret has the same tag under the same key, so that a person
 * sees that two lines speak of one secret; nobody without the key can tell of which.
 */
export type Redactor = {
  redact(text: string): string;
  /**
   * For texts that follow each other in one field: also finds a secret that began in the text before, and leaves out what
   * is in this one.
   */
  next(field: string, text: string): string;
};

export type RedactorOptions = {
  /** Of the tags. Default: random, so that tags mean something within one process alone. */
  readonly key?: Uint8Array;
  readonly find?: FindSecrets;
};

/** Whatever looks like a credential. A first group is kept, all else is the secret. */
const CREDENTIALS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/gu,
  /sk(?:-|%2d)ant(?:-|%2d)[\w%-]{2,}/giu,
  /bccf_\w{2,}/giu,
  // The beginnings of these two as base64, at each of its three alignments, and as hex.
  /(?:c2stYW50L|NrLWFudC|zay1hbnQt|YmNjZl|JjY2Zf|iY2NmX)[\w+/=-]{8,}/gu,
  /(?:736b2d616e742d|626363665f)[0-9a-f]{8,}/giu,
  /(\b(?:bearer|basic)[\s:=]+)[\w.~+/=-]{4,}/giu,
  /\beyJ[\w-]{8,}\.[\w-]{4,}\.?[\w-]*/gu,
  /(:\/\/[^\s:/@]{0,200}:)[^\s/@]{1,400}(?=@)/gu,
  /((?:set-)?cookie["']?\s{0,8}[:=]\s{0,8}["']?)[^\s"'[][^\r\n"]{3,}/giu,
  /((?:api[_-]?key|authorization|password|secret|token)["']?\s{0,8}[:=]\s{0,8}["']?)[^\s"',;&}[]{4,}/giu,
  /((?:^(?=\S{1,4096}&)|[?&])(?:code|state|key)=)[^\s&"'[]{4,}/giu,
];

/** One of these is in every text that a pattern above can match. */
const SUSPICION =
  /PRIVATE KEY|sk(?:-|%2d)ant|bccf_|c2stYW50L|NrLWFudC|zay1hbnQt|YmNjZl|JjY2Zf|iY2NmX|736b2d|626363|bearer|basic|eyJ|:\/\/|cookie|key|authorization|password|secret|token|code=|state=/iu;

const NO_FINDER: FindSecrets = () => [];
/** With fewer than 16 characters of a secret at its end, a text does not show yet that they are one. */
const KEPT_TAIL = 15;
const MAX_FIELDS = 64;

export function createRedactor({ key = randomBytes(32), find = NO_FINDER }: RedactorOptions = {}): Redactor {
  const tails = new Map<string, string>();
  const mark = (secret: string) => `[redacted:${tagOf(key, secret)}]`;

  const byPattern = (text: string): string => {
    if (!SUSPICION.test(text)) return text;
    let clean = text;
    for (const pattern of CREDENTIALS) {
      clean = clean.replaceAll(pattern, (match: string, kept: unknown) => {
        const prefix = typeof kept === "string" ? kept : "";
        return prefix + mark(match.slice(prefix.length));
      });
    }
    return clean;
  };

  return {
    redact: (text) => byPattern(withoutSpans(text, find(text), mark)),
    next(field, text) {
      const tail = tails.get(field) ?? "";
      const joined = tail + text;
      const spans = find(joined);
      const last = spans.at(-1);
      // A secret may go on in the text after this one: then all of it that was seen so far is looked at again.
      const keptFrom = last?.isCut === true ? last.start : Math.max(0, joined.length - KEPT_TAIL);
      if (tails.has(field) || tails.size < MAX_FIELDS) tails.set(field, joined.slice(keptFrom));
      const here = spans
        .filter(({ end }) => end > tail.length)
        .map(({ start, end, isCut }) => ({ start: Math.max(0, start - tail.length), end: end - tail.length, isCut }));
      return byPattern(withoutSpans(text, here, mark));
    },
  };
}

/** 32 bits: enough to tell the secrets of one installation apart, too little to find one by. */
function tagOf(key: Uint8Array, secret: string): string {
  return createHmac("sha256", key).update(secret).digest("hex").slice(0, 8);
}

function withoutSpans(text: string, spans: readonly Span[], mark: (secret: string) => string): string {
  if (spans.length === 0) return text;
  let clean = "";
  let from = 0;
  for (const { start, end } of spans) {
    clean += text.slice(from, start) + mark(text.slice(start, end));
    from = end;
  }
  return clean + text.slice(from);
}
