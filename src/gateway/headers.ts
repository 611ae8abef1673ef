import type { HeaderField } from "./ports.ts";

/** RFC 9110 section 7.6.1, plus the names that clients still send. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
];

/**
 * Never forwarded: hop-by-hop, framing and Host (the upstream client makes its own), the client's credentials, and what
 * would tell upstream about the browser or network in front of us. Origin turns into a 401 at some organizations (protocol.md P16).
 */
const NOT_UP = [
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "authorization",
  "x-api-key",
  "cookie",
  "origin",
  "referer",
  "forwarded",
  "via",
  "x-real-ip",
  // What a proxy in front may say of a client's certificate, and anybody may imitate. RFC 9440, nginx, Envoy.
  "client-cert",
  "client-cert-chain",
];
const NOT_UP_PREFIXES = [
  "x-client-cert",
  "x-ssl-client-",
  "ssl-client-",
  "x-forwarded-",
  "x-better-ccflare-",
  "x-bccf-",
  "proxy-",
];

/** Never relayed: hop-by-hop, framing, and what would let an upstream set state in a browser for our origin (security.md D11). */
const NOT_DOWN = [
  ...HOP_BY_HOP,
  "content-length",
  "set-cookie",
  "set-cookie2",
  "alt-svc",
  "strict-transport-security",
  "content-security-policy",
  "content-security-policy-report-only",
  "clear-site-data",
  "refresh",
  "link",
  "report-to",
  "reporting-endpoints",
  "nel",
  "service-worker-allowed",
  "server",
  "x-powered-by",
];
const NOT_DOWN_PREFIXES = ["access-control-", "x-better-ccflare-"];

/** `Connection` may name further headers to drop, but never one of these: a client cannot use it to strip them. */
const KEPT_DESPITE_CONNECTION = /^(anthropic-|content-type$|content-encoding$)/;

/**
 * A deny list that most header names pass in one look: `lengths` holds, for each first letter, the lengths of its
 * names as bits; the last bit stands for all lengths from 31. Low five bits of a letter are the same in both cases.
 */
type DenyList = {
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  readonly lengths: Uint32Array;
};

const LETTER_BITS = 31;
const LONGEST_BIT = 31;

function denyList(names: readonly string[], prefixes: readonly string[]): DenyList {
  const lengths = new Uint32Array(LETTER_BITS + 1);
  const add = (text: string, bits: number) => {
    const letter = text.charCodeAt(0) & LETTER_BITS;
    lengths[letter] = (lengths[letter] ?? 0) | bits;
  };
  for (const name of names) {
    add(name, 1 << Math.min(name.length, LONGEST_BIT));
  }
  for (const prefix of prefixes) {
    add(prefix, -1 << prefix.length);
  }
  return { names: new Set(names), prefixes, lengths };
}

const UP = denyList(NOT_UP, NOT_UP_PREFIXES);
const DOWN = denyList(NOT_DOWN, NOT_DOWN_PREFIXES);

/** The client's headers that go upstream, by deny list: unknown `anthropic-*` and client headers must arrive (protocol.md P7). */
export function headersUp(headers: Iterable<HeaderField>): HeaderField[] {
  return without(headers, UP);
}

/** Upstream's headers that go to the client, values unchanged. */
export function headersDown(headers: Iterable<HeaderField>): HeaderField[] {
  return without(headers, DOWN);
}

// hot path: twice per request.
function without(headers: Iterable<HeaderField>, list: DenyList): HeaderField[] {
  const kept: HeaderField[] = [];
  let connection: string | null = null;
  for (const field of headers) {
    const [name] = field;
    if (!isDenied(name, list)) {
      kept.push(field);
    } else if (name.length === "connection".length && name.toLowerCase() === "connection") {
      connection = connection === null ? field[1] : `${connection},${field[1]}`;
    }
  }
  return connection === null ? kept : withoutNamed(kept, connection);
}

function isDenied(name: string, { names, prefixes, lengths }: DenyList): boolean {
  const bits = lengths[name.charCodeAt(0) & LETTER_BITS] ?? 0;
  if (((bits >>> Math.min(name.length, LONGEST_BIT)) & 1) === 0) {
    return false;
  }
  const lower = name.toLowerCase();
  return names.has(lower) || prefixes.some((prefix) => lower.startsWith(prefix));
}

/** What `Connection` names is meant for this hop alone (RFC 9110 section 7.6.1). */
function withoutNamed(kept: HeaderField[], connection: string): HeaderField[] {
  const named = connection
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())
    .filter((name) => name !== "" && name !== "keep-alive" && name !== "close" && !KEPT_DESPITE_CONNECTION.test(name));
  return named.length === 0 ? kept : kept.filter(([name]) => !named.includes(name.toLowerCase()));
}

/** The first value of `name` (lower case), or null. */
// hot path: a few times per request; most names already differ in length.
export function headerOf(headers: readonly HeaderField[], name: string): string | null {
  for (const field of headers) {
    if (field[0].length === name.length && field[0].toLowerCase() === name) {
      return field[1];
    }
  }
  return null;
}
