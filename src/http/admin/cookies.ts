import { err, ok, type Result } from "../../kernel/result.ts";

/** What a browser holds for us. The session opens everything, the pre-session one proof, the device nothing at all. */
export type SignInCookies = {
  readonly session: string | null;
  readonly preSession: string | null;
  readonly device: string | null;
};

export type CookieProblem = "repeated" | "too_long";

/** All cookies of one request. Ours have 200 bytes together. */
export const MAX_COOKIE_BYTES = 4 * 1024;

const HOST_PREFIX = "__Host-";
const PRE_SESSION_SECONDS = 300;
const DEVICE_SECONDS = 180 * 86_400;

/**
 * `__Host-` binds a cookie to this very host and to TLS (RFC 6265bis section 4.1.3.2). Browsers refuse it over plain
 * HTTP, which is allowed on the loopback alone: there the same cookies go without it.
 */
function nameOf(kind: keyof SignInCookies, isSecure: boolean): string {
  const name = { session: "bccf_sid", preSession: "bccf_pre", device: "bccf_dev" }[kind];
  return isSecure ? HOST_PREFIX + name : name;
}

/** The attributes are exact: SameSite and HttpOnly are half of what keeps other pages out. */
function cookie(name: string, value: string, seconds: number | null): string {
  const age = seconds === null ? "" : `; Max-Age=${seconds}`;
  const secure = name.startsWith(HOST_PREFIX) ? " Secure;" : "";
  return `${name}=${value}; Path=/;${secure} HttpOnly; SameSite=Strict${age}`;
}

export function sessionCookie(value: string, isSecure: boolean): string {
  return cookie(nameOf("session", isSecure), value, null);
}

export function preSessionCookie(value: string, isSecure: boolean): string {
  return cookie(nameOf("preSession", isSecure), value, PRE_SESSION_SECONDS);
}

export function deviceCookie(value: string, isSecure: boolean): string {
  return cookie(nameOf("device", isSecure), value, DEVICE_SECONDS);
}

export function endedCookie(kind: keyof SignInCookies, isSecure: boolean): string {
  return cookie(nameOf(kind, isSecure), "", 0);
}

/** Reads the Cookie fields of one request, whose values are opaque. A name of ours that stands twice is nobody's. */
export function readCookies(fields: readonly string[], isSecure: boolean): Result<SignInCookies, CookieProblem> {
  if (fields.reduce((bytes, field) => bytes + field.length, 0) > MAX_COOKIE_BYTES) return err("too_long");
  const found = new Map<string, string>();
  for (const pair of fields.flatMap((field) => field.split(";"))) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(equals, 0)).trim();
    if (found.has(name)) return err("repeated");
    if (name.includes("bccf_")) found.set(name, pair.slice(equals + 1).trim());
  }
  const presented = (kind: keyof SignInCookies) => found.get(nameOf(kind, isSecure)) || null;
  return ok({ session: presented("session"), preSession: presented("preSession"), device: presented("device") });
}
