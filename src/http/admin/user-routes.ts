import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { doneSchema, mintedSetupSchema } from "../../contract/sign-in.ts";
import {
  createUserSchema,
  setPasswordSchema,
  setRoleSchema,
  userListSchema,
  userSchema,
} from "../../contract/users.ts";
import type { People, UserReport } from "../../control/people.ts";
import { type Refusal, refusal } from "../../control/refusal.ts";
import type { Result } from "../../kernel/result.ts";
import { toRfc3339 } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { userToWire } from "./sign-in-wire.ts";
import { type AdminEnv, principalOf } from "./visitor.ts";

const userPath = z.object({ user: z.string().max(256).meta({ description: "Name or id" }) });
const CHANGED = { 200: { description: "The user", content: { "application/json": { schema: userSchema } } } };

const listRoute = createRoute({
  method: "get",
  path: "/api/users",
  summary: "List the people who may sign in",
  responses: {
    200: { description: "Users", content: { "application/json": { schema: userListSchema } } },
    ...REFUSALS,
  },
});

const createUserRoute = createRoute({
  method: "post",
  path: "/api/users",
  summary: "Create a user with a password for the first login",
  request: { body: { required: true, content: { "application/json": { schema: createUserSchema } } } },
  responses: {
    201: { description: "Created", content: { "application/json": { schema: userSchema } } },
    ...REFUSALS,
  },
});

const setRoleRoute = createRoute({
  method: "put",
  path: "/api/users/{user}/role",
  summary: "Give a user another role; all sessions of theirs end",
  request: {
    params: userPath,
    body: { required: true, content: { "application/json": { schema: setRoleSchema } } },
  },
  responses: { ...CHANGED, ...REFUSALS },
});

const setPasswordRoute = createRoute({
  method: "post",
  path: "/api/users/{user}/password",
  summary: "Give a user a password for one login",
  request: {
    params: userPath,
    body: { required: true, content: { "application/json": { schema: setPasswordSchema } } },
  },
  responses: { ...CHANGED, ...REFUSALS },
});

const disableRoute = change("disable", "Let a user in no more; sessions, tokens and client keys stop at once");
const enableRoute = change("enable", "Let a user in again");
const resetMfaRoute = change("reset-mfa", "Forget a user's second factor and recovery codes");

const endSessionsRoute = change("end-sessions", "Sign a user out everywhere, and change nothing else");

const removeRoute = createRoute({
  method: "delete",
  path: "/api/users/{user}",
  summary: "Remove a user",
  request: { params: userPath },
  responses: {
    200: { description: "Removed", content: { "application/json": { schema: doneSchema } } },
    ...REFUSALS,
  },
});

const mintSetupRoute = createRoute({
  method: "post",
  path: "/api/setup",
  summary: "The setup secret, while there is no owner",
  responses: {
    201: { description: "Valid until it is used", content: { "application/json": { schema: mintedSetupSchema } } },
    ...REFUSALS,
  },
});

export function createUserRoutes({ users, setup }: Pick<People, "users" | "setup">): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(listRoute, async (context) => {
    const listed = await users.list(principalOf(context.env.visitor));
    return listed.ok ? context.json(listed.value.map(userToWire), 200) : context.json(...refusalAnswer(listed.error));
  });
  app.openapi(createUserRoute, async (context) => {
    const created = await users.create(principalOf(context.env.visitor), context.req.valid("json"));
    return created.ok ? context.json(userToWire(created.value), 201) : context.json(...refusalAnswer(created.error));
  });
  app.openapi(setRoleRoute, async (context) => {
    const { user } = context.req.valid("param");
    const { role } = context.req.valid("json");
    return answer(context, await users.setRole(principalOf(context.env.visitor), user, role));
  });
  app.openapi(setPasswordRoute, async (context) => {
    const { user } = context.req.valid("param");
    const { password } = context.req.valid("json");
    return answer(context, await users.setPassword(principalOf(context.env.visitor), user, password));
  });
  app.openapi(disableRoute, async (context) =>
    answer(context, await users.disable(principalOf(context.env.visitor), context.req.valid("param").user)),
  );
  app.openapi(enableRoute, async (context) =>
    answer(context, await users.enable(principalOf(context.env.visitor), context.req.valid("param").user)),
  );
  app.openapi(resetMfaRoute, async (context) =>
    answer(context, await users.resetMfa(principalOf(context.env.visitor), context.req.valid("param").user)),
  );
  app.openapi(endSessionsRoute, async (context) =>
    answer(context, await users.endSessions(principalOf(context.env.visitor), context.req.valid("param").user)),
  );
  app.openapi(removeRoute, async (context) => {
    const removed = await users.remove(principalOf(context.env.visitor), context.req.valid("param").user);
    return removed.ok ? context.json({ done: true as const }, 200) : context.json(...refusalAnswer(removed.error));
  });
  app.openapi(mintSetupRoute, async (context) => {
    const minted = await setup.mint();
    if (minted === null) return context.json(...refusalAnswer(NOTHING_TO_SET_UP));
    return context.json({ secret: minted.disclose(), expiresAt: toRfc3339(minted.expiresAtMs) }, 201);
  });
  return app;
}

function answer(context: Context<AdminEnv>, changed: Result<UserReport, Refusal>) {
  return changed.ok ? context.json(userToWire(changed.value), 200) : context.json(...refusalAnswer(changed.error));
}

const NOTHING_TO_SET_UP = refusal(
  "setup_done",
  "Cannot give a setup secret: there is an owner, or the valid secret was shown already and is good for 30 minutes",
);

function change<const Verb extends string>(verb: Verb, summary: string) {
  return createRoute({
    method: "post",
    path: `/api/users/{user}/${verb}` as const,
    summary,
    request: { params: userPath },
    responses: { ...CHANGED, ...REFUSALS },
  });
}
