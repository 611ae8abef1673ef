import { Secret, TOTP } from "otpauth";
import type { GatewayProcess } from "./gateway-process.ts";

/** What a person gave and was given, each of it a secret. */
export type SignedIn = {
  readonly secrets: Readonly<Record<string, string>>;
  /** As the browser's page of the gateway, signed in; every answer is kept. */
  call(method: string, path: string, body?: unknown): Promise<Response>;
};

/** The first owner over HTTP: setup, second factor, sign-in, an admin token; and what goes wrong on the way. */
export async function signIn(
  running: () => GatewayProcess,
  words: { readonly password: string; readonly wrong: string; readonly userName: string },
): Promise<SignedIn> {
  const secrets: Record<string, string> = {};
  let cookies: Record<string, string> = {};
  let csrf = "";
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const answer = await fetch(`${running().url}${path}`, {
      method,
      headers: {
        origin: running().url,
        cookie: Object.entries(cookies)
          .map(([name, value]) => `${name}=${value}`)
          .join("; "),
        ...(csrf === "" ? {} : { "x-csrf-token": csrf }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies = { ...cookies, [name]: value };
      if (value !== "") secrets[`cookie ${name} ${Object.keys(secrets).length}`] = value;
    }
    return answer;
  };
  const json = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const answer = await call(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${answer.status} ${text}`);
    const value = JSON.parse(text) as Record<string, unknown>;
    if (typeof value["csrfToken"] === "string") csrf = value["csrfToken"];
    return value;
  };
  const { password, wrong, userName } = words;

  const secret = /bccf_st_[0-9A-Za-z]{59}/.exec(running().output())?.[0] ?? "";
  secrets["setup secret"] = secret.slice(-40);
  await json("POST", "/auth/setup", { secret, name: userName, password });
  const enrolled = await json("POST", "/auth/totp");
  const seed = String(enrolled["secret"]);
  secrets["one-time code seed"] = seed;
  const totp = new TOTP({ secret: Secret.fromBase32(seed) });
  const confirmed = await json("POST", "/auth/totp/confirm", { code: totp.generate() });
  const [recoveryCode = ""] = (confirmed["recoveryCodes"] ?? []) as readonly string[];
  secrets["recovery code"] = recoveryCode;
  await call("POST", "/auth/logout", {});
  csrf = "";
  cookies = {};

  expectStatus(await call("POST", "/auth/login", { name: userName, password: wrong }), 401);
  await json("POST", "/auth/login", { name: userName, password });
  expectStatus(await call("POST", "/auth/mfa/totp", { code: "000000" }), 401);
  await json("POST", "/auth/mfa/recovery", { code: recoveryCode });
  await json("GET", "/auth/session");
  secrets["CSRF token"] = csrf;
  const token = await json("POST", "/api/tokens", { name: "script" });
  secrets["admin token"] = String(token["token"]).slice(-40);
  return { secrets, call };
}

function expectStatus({ status }: Response, expected: number): void {
  if (status !== expected) throw new Error(`Cannot go on: ${status} instead of ${expected}`);
}
