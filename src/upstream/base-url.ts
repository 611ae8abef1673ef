import { parseIpAddress } from "../domain/access/ip-address.ts";
import type { Brand } from "../kernel/brand.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type AddressPolicy, isListedAddress, isPublicAddress } from "./public-address.ts";

/** Normalised: scheme, host, port when it is not the default, path prefix; no trailing slash, userinfo, query or fragment. */
export type BaseUrl = Brand<string, "BaseUrl">;

export type BaseUrlProblem =
  | "too_long"
  | "malformed"
  | "scheme"
  | "userinfo"
  | "query_or_fragment"
  | "host"
  | "private_host"
  | "port"
  | "path";

/** Where requests for one base URL go. */
export type Origin = {
  /** Scheme, host and port: sockets are shared within one key only. */
  readonly key: string;
  readonly isTls: boolean;
  /** Without brackets. A name or an IP literal. */
  readonly hostname: string;
  readonly isIpLiteral: boolean;
  readonly port: number;
  /** Value of the Host header. */
  readonly host: string;
  /** "" or "/prefix". */
  readonly pathPrefix: string;
};

const MAX_URL_CHARACTERS = 2_048;
const MAX_HOST_CHARACTERS = 253;
/** 8443 is the usual second TLS port of self-hosted gateways; other ports would make the gateway a port scanner. */
const PUBLIC_PORTS: ReadonlySet<string> = new Set(["", "443", "8443"]);
/** Names that only a private resolver answers. @see RFC 6761, RFC 6762, RFC 8375 */
const PRIVATE_SUFFIXES: readonly string[] = [
  ".localhost",
  ".localdomain",
  ".local",
  ".internal",
  ".intranet",
  ".lan",
  ".corp",
  ".home",
  ".home.arpa",
  ".test",
  ".onion",
];

const DESCRIPTIONS: Readonly<Record<BaseUrlProblem, string>> = {
  too_long: `it is longer than ${MAX_URL_CHARACTERS} characters`,
  malformed: "it is not an absolute URL in printable ASCII without spaces and backslashes",
  scheme: "its scheme is not https",
  userinfo: "it holds a user name or a password",
  query_or_fragment: "it holds a query or a fragment",
  host: "its host is not a valid name or address (a trailing dot is not accepted)",
  private_host:
    "its host is not public (set BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS=1 to allow private upstreams, or name its network in upstream.allowPrivateNetworks)",
  port: "its port is not 443 or 8443",
  path: "its path holds an empty segment",
};

/** One sentence for the operator. Never repeats the URL: it may hold a password by mistake. */
export function describeBaseUrlProblem(problem: BaseUrlProblem): string {
  return `Cannot use the base URL: ${DESCRIPTIONS[problem]}`;
}

/**
 * Accepts a base URL by its text alone; what its name resolves to is checked at each connect. Idempotent: a `BaseUrl`
 * parses to itself.
 */
export function parseBaseUrl(text: string, policy: AddressPolicy): Result<BaseUrl, BaseUrlProblem> {
  const parsed = parseStrictUrl(text);
  if (!parsed.ok) return parsed;
  const url = parsed.value;
  const hostname = hostnameOf(url);
  const isOpen = policy.allowPrivate || (hostname !== null && isOpenHost(hostname, policy));
  if (url.protocol !== "https:" && !(isOpen && url.protocol === "http:")) return err("scheme");
  if (hostname === null) return err("host");
  if (!isOpen) {
    if (isPrivateHost(hostname)) return err("private_host");
    if (!PUBLIC_PORTS.has(url.port)) return err("port");
  }
  if (url.port === "0") return err("port");
  const path = url.pathname.replace(/\/$/, "");
  if (path.includes("//") || path.endsWith("/")) return err("path");
  return ok(`${url.protocol}//${url.host}${path}` as BaseUrl);
}

/** Takes a normalised URL apart. */
export function originOf(baseUrl: BaseUrl): Origin {
  const url = new URL(baseUrl);
  const isTls = url.protocol === "https:";
  const hostname = hostnameOf(url) ?? "";
  return {
    key: url.origin,
    isTls,
    hostname,
    isIpLiteral: parseIpAddress(hostname) !== null,
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    host: url.host,
    pathPrefix: url.pathname === "/" ? "" : url.pathname,
  };
}

/** The WHATWG parser repairs its input (drops tabs, turns "\" into "/", maps full-width digits): refuse what it would repair. */
function parseStrictUrl(text: string): Result<URL, BaseUrlProblem> {
  if (text.length > MAX_URL_CHARACTERS) return err("too_long");
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes("\\")) return err("malformed");
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]/.test(text)) return err("malformed");
  const authority = text.slice(text.indexOf("//") + 2).split(/[/?#]/, 1)[0] ?? "";
  if (authority.includes("@")) return err("userinfo");
  if (text.includes("?") || text.includes("#")) return err("query_or_fragment");
  if (authority.includes("%")) return err("host");
  const url = URL.parse(text);
  return url === null ? err("malformed") : ok(url);
}

/** Without brackets; null when it is neither an address nor a DNS name. */
function hostnameOf(url: URL): string | null {
  const hostname = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  if (parseIpAddress(hostname) !== null) return hostname;
  const isName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(hostname);
  return isName && hostname.length <= MAX_HOST_CHARACTERS ? hostname : null;
}

/** A private name counts as one of the opened networks here; what it resolves to is checked at each connect. */
function isOpenHost(hostname: string, policy: AddressPolicy): boolean {
  if (parseIpAddress(hostname) !== null) return isListedAddress(hostname, policy);
  return (policy.privateNetworks ?? []).length > 0 && isPrivateHost(hostname);
}

function isPrivateHost(hostname: string): boolean {
  if (parseIpAddress(hostname) !== null) return !isPublicAddress(hostname);
  return !hostname.includes(".") || PRIVATE_SUFFIXES.some((suffix) => hostname.endsWith(suffix));
}
