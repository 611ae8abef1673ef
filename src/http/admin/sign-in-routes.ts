import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  codeProofSchema,
  doneSchema,
  loginAnswerSchema,
  loginSchema,
  setUpSchema,
  signedInSchema,
  stepUpSchema,
} from "../../contract/sign-in.ts";
import type { OpenedSession, People } from "../../control/people.ts";
import { type Refusal, refusal } from "../../control/refusal.ts";
import { err, type Result } from "../../kernel/result.ts";
import { deviceCookie, endedCookie, preSessionCookie, sessionCookie } from "./cookies.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { signedInToWire } from "./sign-in-wire.ts";
import { type AdminEnv, principalOf } from "./visitor.ts";

const SIGNED_IN = { 200: { description: "Signed in", content: { "application/json": { schema: signedInSchema } } } };
const DONE = { 200: { description: "Done", content: { "application/json": { schema: doneSchema } } } };

const setUpRoute = createRoute({
  method: "post",
  path: "/auth/setup",
  summary: "Make the first owner, with the setup secret that the start printed",
  request: { body: { required: true, content: { "application/json": { schema: setUpSchema } } } },
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const loginRoute = createRoute({
  method: "post",
  path: "/auth/login",
  summary: "Prove name and password; says whether a second factor is due",
  request: { body: { required: true, content: { "application/json": { schema: loginSchema } } } },
  responses: {
    200: { description: "Proven", content: { "application/json": { schema: loginAnswerSchema } } },
    ...REFUSALS,
  },
});

const totpRoute = createRoute({
  method: "post",
  path: "/auth/mfa/totp",
  summary: "Prove the second factor by its six digits",
  request: { body: { required: true, content: { "application/json": { schema: codeProofSchema } } } },
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const recoveryRoute = createRoute({
  method: "post",
  path: "/auth/mfa/recovery",
  summary: "Prove the second factor by a recovery code, which is used up",
  request: { body: { required: true, content: { "application/json": { schema: codeProofSchema } } } },
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const stepUpRoute = createRoute({
  method: "post",
  path: "/auth/step-up",
  summary: "Prove password and second factor anew; good for 5 minutes",
  request: { body: { required: true, content: { "application/json": { schema: stepUpSchema } } } },
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const logoutRoute = createRoute({
  method: "post",
  path: "/auth/logout",
  summary: "End this session",
  responses: { ...DONE, ...REFUSALS },
});

const SECRET_REFUSED = refusal(
  "setup_refused",
  "Cannot set the gateway up: the setup secret is unknown, used or older than 30 minutes",
  "secret",
);

export type SignInNeeds = Pick<People, "signIn" | "sessions" | "setup">;

export function createSignInRoutes({ signIn, sessions, setup }: SignInNeeds): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(setUpRoute, async (context) => {
    const { secret, ...owner } = context.req.valid("json");
    const done = await setup.complete(secret, owner, context.env.visitor.ip);
    // A secret that was used and one that never was are the same to whoever holds it.
    return opened(context, done.ok || done.error.code !== "setup_done" ? done : err(SECRET_REFUSED));
  });
  app.openapi(loginRoute, async (context) => {
    const { cookies, ip, isSecure } = context.env.visitor;
    const step = await signIn.login({ ...context.req.valid("json"), ip, deviceCookie: cookies.device });
    if (!step.ok) return context.json(...refusalAnswer(step.error));
    if (step.value.kind === "mfa") {
      setCookie(context, preSessionCookie(step.value.preSession, isSecure));
      return context.json({ next: "totp" as const }, 200);
    }
    giveCookies(context, step.value.session);
    return context.json({ ...signedInToWire(step.value.session, isSecure), next: null }, 200);
  });
  app.openapi(totpRoute, async (context) => {
    const { cookies, ip } = context.env.visitor;
    return opened(context, await signIn.proveTotp(cookies.preSession ?? "", context.req.valid("json").code, ip));
  });
  app.openapi(recoveryRoute, async (context) => {
    const { cookies, ip } = context.env.visitor;
    return opened(context, await signIn.proveRecovery(cookies.preSession ?? "", context.req.valid("json").code, ip));
  });
  app.openapi(stepUpRoute, async (context) => {
    const { visitor } = context.env;
    return opened(context, await signIn.stepUp(principalOf(visitor), context.req.valid("json"), visitor.ip));
  });
  app.openapi(logoutRoute, async (context) => {
    const principal = principalOf(context.env.visitor);
    if (principal.kind === "user" && principal.via.kind === "session") {
      const ended = await sessions.end(principal, principal.via.sessionId);
      if (!ended.ok) return context.json(...refusalAnswer(ended.error));
    }
    setCookie(context, endedCookie("session", context.env.visitor.isSecure));
    context.header("clear-site-data", '"cache", "cookies", "storage"');
    return context.json({ done: true as const }, 200);
  });
  return app;
}

/** Cookies and answer of a session that has just been opened. */
export function opened(context: Context<AdminEnv>, session: Result<OpenedSession, Refusal>) {
  if (!session.ok) return context.json(...refusalAnswer(session.error));
  giveCookies(context, session.value);
  return context.json(signedInToWire(session.value, context.env.visitor.isSecure), 200);
}

export function giveCookies(context: Context<AdminEnv>, session: OpenedSession): void {
  const { isSecure, cookies } = context.env.visitor;
  setCookie(context, sessionCookie(session.cookie, isSecure));
  setCookie(context, deviceCookie(session.deviceCookie, isSecure));
  if (cookies.preSession !== null) setCookie(context, endedCookie("preSession", isSecure));
}

function setCookie(context: Context<AdminEnv>, cookie: string): void {
  context.header("set-cookie", cookie, { append: true });
}
