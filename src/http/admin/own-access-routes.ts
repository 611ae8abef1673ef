import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  begunTotpSchema,
  changePasswordSchema,
  codeProofSchema,
  confirmedTotpSchema,
  doneSchema,
  recoveryCodesSchema,
  sessionListSchema,
  signedInSchema,
} from "../../contract/sign-in.ts";
import type { People } from "../../control/people.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { giveCookies, opened } from "./sign-in-routes.ts";
import { principalToWire, sessionToWire, signedInToWire } from "./sign-in-wire.ts";
import { type AdminEnv, principalOf } from "./visitor.ts";

const SIGNED_IN = { 200: { description: "Signed in", content: { "application/json": { schema: signedInSchema } } } };

const sessionRoute = createRoute({
  method: "get",
  path: "/auth/session",
  summary: "Who is signed in, with a CSRF token for a page that was loaded anew",
  responses: SIGNED_IN,
});

const sessionsRoute = createRoute({
  method: "get",
  path: "/auth/sessions",
  summary: "List your sessions, newest first",
  responses: { 200: { description: "Sessions", content: { "application/json": { schema: sessionListSchema } } } },
});

const endSessionRoute = createRoute({
  method: "delete",
  path: "/auth/sessions/{id}",
  summary: "End one of your sessions",
  request: { params: z.object({ id: z.string().max(128) }) },
  responses: {
    200: { description: "Ended", content: { "application/json": { schema: doneSchema } } },
    ...REFUSALS,
  },
});

const passwordRoute = createRoute({
  method: "post",
  path: "/auth/password",
  summary: "Change your password; every other session of yours ends",
  request: { body: { required: true, content: { "application/json": { schema: changePasswordSchema } } } },
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const beginTotpRoute = createRoute({
  method: "post",
  path: "/auth/totp",
  summary: "Begin to enrol a second factor; this is the only answer that shows its secret",
  responses: {
    200: { description: "Begun", content: { "application/json": { schema: begunTotpSchema } } },
    ...REFUSALS,
  },
});

const confirmTotpRoute = createRoute({
  method: "post",
  path: "/auth/totp/confirm",
  summary: "Confirm the second factor by its first code; gives the recovery codes, once",
  request: { body: { required: true, content: { "application/json": { schema: codeProofSchema } } } },
  responses: {
    200: { description: "Enrolled", content: { "application/json": { schema: confirmedTotpSchema } } },
    ...REFUSALS,
  },
});

const removeTotpRoute = createRoute({
  method: "delete",
  path: "/auth/totp",
  summary: "Remove your second factor",
  responses: { ...SIGNED_IN, ...REFUSALS },
});

const recoveryCodesRoute = createRoute({
  method: "post",
  path: "/auth/recovery-codes",
  summary: "Make ten new recovery codes; those before are void",
  responses: {
    200: { description: "Made", content: { "application/json": { schema: recoveryCodesSchema } } },
    ...REFUSALS,
  },
});

export type OwnAccessNeeds = Pick<People, "sessions" | "users" | "factors">;

/** What everybody may do for themselves. */
export function createOwnAccessRoutes({ sessions, users, factors }: OwnAccessNeeds): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(sessionRoute, (context) => {
    const { visitor } = context.env;
    const cookie = visitor.cookies.session;
    const csrf = cookie === null ? null : sessions.csrfFor(cookie);
    const facts = { csrf, endsAtMs: null, isSecure: visitor.isSecure };
    return context.json(principalToWire(principalOf(visitor), facts), 200);
  });
  app.openapi(sessionsRoute, async (context) => {
    const reports = await sessions.list(principalOf(context.env.visitor));
    return context.json(reports.map(sessionToWire), 200);
  });
  app.openapi(endSessionRoute, async (context) => {
    const ended = await sessions.end(principalOf(context.env.visitor), context.req.valid("param").id);
    return ended.ok ? context.json({ done: true as const }, 200) : context.json(...refusalAnswer(ended.error));
  });
  app.openapi(passwordRoute, async (context) => {
    const { visitor } = context.env;
    const passwords = context.req.valid("json");
    return opened(context, await users.changeOwnPassword(principalOf(visitor), passwords, visitor.ip));
  });
  app.openapi(beginTotpRoute, async (context) => {
    const begun = await factors.beginTotp(principalOf(context.env.visitor));
    return begun.ok ? context.json(begun.value, 200) : context.json(...refusalAnswer(begun.error));
  });
  app.openapi(confirmTotpRoute, async (context) => {
    const { visitor } = context.env;
    const { code } = context.req.valid("json");
    const confirmed = await factors.confirmTotp(principalOf(visitor), code, visitor.ip);
    if (!confirmed.ok) return context.json(...refusalAnswer(confirmed.error));
    const { session, recoveryCodes } = confirmed.value;
    giveCookies(context, session);
    return context.json({ ...signedInToWire(session, visitor.isSecure), recoveryCodes: [...recoveryCodes] }, 200);
  });
  app.openapi(removeTotpRoute, async (context) => {
    const { visitor } = context.env;
    return opened(context, await factors.removeTotp(principalOf(visitor), visitor.ip));
  });
  app.openapi(recoveryCodesRoute, async (context) => {
    const made = await factors.newRecoveryCodes(principalOf(context.env.visitor));
    return made.ok ? context.json({ recoveryCodes: [...made.value] }, 200) : context.json(...refusalAnswer(made.error));
  });
  return app;
}
