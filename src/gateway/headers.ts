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
const NOT_UP = new Set([
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
]);
const NOT_UP_PREFIXES = ["x-forwarded-", "x-better-ccflare-", "x-bccf-", "proxy-"];

/** Never relayed: hop-by-hop, framing, and what would let an upstream set state in a browser for our origin (security.md D11). */
const NOT_DOWN = new Set([
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
  "server",
  "x-powered-by",
]);
const NOT_DOWN_PREFIXES = ["access-control-", "x-better-ccflare-"];

/** `Connection` may name further headers to drop, but never one of these: a client cannot use it to strip them. */
const KEPT_DESPITE_CONNECTION = /^(anthropic-|content-type$|content-encoding$)/;

/** The client's headers that go upstream, by deny list: unknown `anthropic-*` and client headers must arrive (protocol.md P7). */
export function headersUp(headers: Iterable<HeaderField>): HeaderField[] {
  return without(headers, NOT_UP, NOT_UP_PREFIXES);
}

/** Upstream's headers that go to the client, values unchanged. */
export function headersDown(headers: Iterable<HeaderField>): HeaderField[] {
  return without(headers, NOT_DOWN, NOT_DOWN_PREFIXES);
}

// hot path: twice per request.
function without(headers: Iterable<HeaderField>, names: ReadonlySet<string>, prefixes: readonly string[]): HeaderField[] {
  const kept: HeaderField[] = [];
  let named: string[] | null = null;
  for (const field of headers) {
    const name = field[0].toLowerCase();
    if (name === "connection") {
      named = field[1].toLowerCase().split(",").map((token) => token.trim());
    }
    if (!(names.has(name) || prefixes.some((prefix) => name.startsWith(prefix)))) {
      kept.push(field);
    }
  }
  const dropped = named?.filter((name) => name !== "keep-alive" && name !== "close" && !KEPT_DESPITE_CONNECTION.test(name));
  return dropped === undefined || dropped.length === 0
    ? kept
    : kept.filter(([name]) => !dropped.includes(name.toLowerCase()));
}

/** The first value of `name` (lower case), or null. */
export function headerOf(headers: readonly HeaderField[], name: string): string | null {
  return headers.find((field) => field[0].toLowerCase() === name)?.[1] ?? null;
}
