import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { doneSchema } from "../../contract/sign-in.ts";
import { spanMs } from "../../contract/span.ts";
import { createdTokenSchema, createTokenSchema, tokenListSchema, tokenOwnerSchema } from "../../contract/tokens.ts";
import type { People, UserService } from "../../control/people.ts";
import type { Principal } from "../../control/principal.ts";
import { type Refusal, refusal } from "../../control/refusal.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import { durationMs, type EpochMs, toRfc3339 } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { tokenToWire } from "./sign-in-wire.ts";
import { type AdminEnv, principalOf, type Visitor } from "./visitor.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/tokens",
  summary: "List your admin tokens, newest first",
  request: { query: tokenOwnerSchema },
  responses: {
    200: { description: "Tokens", content: { "application/json": { schema: tokenListSchema, tokenOwnerSchema } } },
    ...REFUSALS,
  },
});

const createTokenRoute = createRoute({
  method: "post",
  path: "/api/tokens",
  summary: "Create an admin token; this is the only answer that shows it",
  request: { body: { required: true, content: { "application/json": { schema: createTokenSchema } } } },
  responses: {
    201: { description: "Created", content: { "application/json": { schema: createdTokenSchema } } },
    ...REFUSALS,
  },
});

const revokeRoute = createRoute({
  method: "delete",
  path: "/api/tokens/{token}",
  summary: "Revoke one of your admin tokens: it is refused from now on",
  request: {
    query: tokenOwnerSchema,
    params: z.object({ token: z.string().max(256).meta({ description: "Name or id" }) }),
  },
  responses: {
    200: { description: "Revoked", content: { "application/json": { schema: doneSchema } } },
    ...REFUSALS,
  },
});

type TokenRouteNeeds = Pick<People, "tokens" | "users">;

export function createTokenRoutes({ tokens, users }: TokenRouteNeeds, now: () => EpochMs): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });
  const ownerOf = (visitor: Visitor, user: string | undefined) => tokenOwner(users, { visitor, user, nowMs: now() });

  app.openapi(listRoute, async (context) => {
    const owner = await ownerOf(context.env.visitor, context.req.valid("query").user);
    if (!owner.ok) return context.json(...refusalAnswer(owner.error));
    const reports = await tokens.list(owner.value);
    return context.json(reports.map(tokenToWire), 200);
  });
  app.openapi(createTokenRoute, async (context) => {
    const { user, name, expiresIn } = context.req.valid("json");
    const spanOrNull = expiresIn === undefined ? null : spanMs(expiresIn);
    const expiresInMs = spanOrNull === null ? null : durationMs(spanOrNull);
    const owner = await ownerOf(context.env.visitor, user);
    const created = owner.ok ? await tokens.create(owner.value, name, expiresInMs) : owner;
    if (!created.ok) return context.json(...refusalAnswer(created.error));
    const { id, disclose, expiresAtMs } = created.value;
    return context.json({ id, name: created.value.name, token: disclose(), expiresAt: toRfc3339(expiresAtMs) }, 201);
  });
  app.openapi(revokeRoute, async (context) => {
    const owner = await ownerOf(context.env.visitor, context.req.valid("query").user);
    const revoked = owner.ok ? await tokens.revoke(owner.value, context.req.valid("param").token) : owner;
    return revoked.ok ? context.json({ done: true as const }, 200) : context.json(...refusalAnswer(revoked.error));
  });
  return app;
}

type Asking = { readonly visitor: Visitor; readonly user: string | undefined; readonly nowMs: EpochMs };

/**
 * Whose tokens these are: one's own. The Unix socket has none, so it says whose it means, and acts as that user with an
 * owner's freshness; the audit log still names the operator.
 */
async function tokenOwner(users: UserService, { visitor, user, nowMs }: Asking): Promise<Result<Principal, Refusal>> {
  const principal = principalOf(visitor);
  if (principal.kind !== "socket") return user === undefined ? ok(principal) : err(OWN_ALONE);
  const listed = user === undefined ? null : await users.list(principal);
  if (listed?.ok === false) return listed;
  const all = listed?.value ?? [];
  const found = all.find(({ id }) => id === user) ?? all.find(({ name }) => name.toLowerCase() === user?.toLowerCase());
  if (found === undefined) return err(user === undefined ? WHOSE : NO_SUCH_USER);
  const { id, name, role } = found;
  const via = { kind: "session", sessionId: "socket", factorAtMs: nowMs, mustEnrol: false, mustChangePassword: false };
  return ok({ kind: "user", userId: id, name, role, via: { ...via, kind: "session" } });
}

const OWN_ALONE = refusal("user_not_found", "Cannot look after somebody else's tokens: they are their owner's", "user");
const WHOSE = refusal("user_not_found", "Cannot tell whose tokens are meant: name a user", "user");
const NO_SUCH_USER = refusal("user_not_found", "Cannot find the user: nobody has this name or id", "user");
