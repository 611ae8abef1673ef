import type { SessionService, TokenService } from "../../control/people.ts";
import type { Principal } from "../../control/principal.ts";
import type { Call } from "../../gateway/call.ts";
import { presentedCredential } from "../../gateway/credential.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import type { RouteEntry } from "../routes/route-entry.ts";
import { readCookies, type SignInCookies } from "./cookies.ts";
import { type PageVerdict, pageVerdict } from "./same-origin.ts";

export type Authentication = {
  readonly sessions: Pick<SessionService, "principalOf" | "csrfMatches">;
  readonly tokens: Pick<TokenService, "principalOf">;
};

type Needs = Authentication & { readonly isSecure: boolean };

/** Null: the route asks for nobody. */
type Found = { readonly principal: Principal | null; readonly cookies: SignInCookies };

type AuthenticationProblem = "two_credentials" | "cookies_too_long" | "not_signed_in" | "page_refused" | "csrf_refused";

type Outcome = Result<Found, AuthenticationProblem>;

/**
 * Who asks. A cookie goes with every request that any page makes, so with a cookie the page must be ours; a token is
 * put there by whoever has it, so a program may send it from nowhere.
 */
export async function authenticate(call: Call, entry: RouteEntry, needs: Needs): Promise<Outcome> {
  const token = presentedCredential(call);
  if (!token.ok) return err("two_credentials");
  const cookies = readCookies(cookieFields(call), needs.isSecure);
  if (!cookies.ok) return err(cookies.error === "too_long" ? "cookies_too_long" : "two_credentials");
  const page = pageOf(call, needs.isSecure);
  if (page === "foreign") return err("page_refused");
  if (entry.auth === "public" || entry.auth === "setup" || entry.auth === "pre_session") {
    return nobody(entry, cookies.value, page);
  }
  if (token.value !== null) return byToken(token.value, cookies.value, needs);
  return bySession({ call, entry, page, cookies: cookies.value }, needs);
}

function nobody(entry: RouteEntry, cookies: SignInCookies, page: PageVerdict): Outcome {
  if (entry.auth === "pre_session" && cookies.preSession === null) return err("not_signed_in");
  return page === "own" ? ok({ principal: null, cookies }) : err("page_refused");
}

async function byToken(text: string, cookies: SignInCookies, { tokens }: Needs): Promise<Outcome> {
  if (cookies.session !== null) return err("two_credentials");
  const principal = await tokens.principalOf(text);
  return principal === null ? err("not_signed_in") : ok({ principal, cookies });
}

type Asked = {
  readonly call: Call;
  readonly entry: RouteEntry;
  readonly page: PageVerdict;
  readonly cookies: SignInCookies;
};

async function bySession({ call, entry, page, cookies }: Asked, { sessions }: Needs): Promise<Outcome> {
  if (cookies.session === null) return err("not_signed_in");
  if (page !== "own") return err("page_refused");
  const principal = await sessions.principalOf(cookies.session);
  if (principal === null) return err("not_signed_in");
  const isChange = entry.csrf === "token";
  if (isChange && !sessions.csrfMatches(cookies.session, call.header("x-csrf-token") ?? "")) return err("csrf_refused");
  return ok({ principal, cookies });
}

function pageOf(call: Call, isSecure: boolean): PageVerdict {
  const host = call.header("host")?.toLowerCase() ?? "";
  return pageVerdict({
    method: call.method,
    site: call.header("sec-fetch-site"),
    mode: call.header("sec-fetch-mode"),
    dest: call.header("sec-fetch-dest"),
    origin: call.header("origin"),
    ownOrigin: `${isSecure ? "https" : "http"}://${host}`,
  });
}

/** Line by line: a browser sends one. */
function cookieFields(call: Call): readonly string[] {
  if (call.header("cookie") === null) return [];
  return [...call.headers].filter(([name]) => name.toLowerCase() === "cookie").map(([, value]) => value);
}
