import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type CreateKey,
  createdKeySchema,
  createKeySchema,
  keyListSchema,
  keySchema,
  rotateKeySchema,
} from "../../contract/keys.ts";
import { spanMs } from "../../contract/span.ts";
import type { KeyDraft } from "../../control/key-draft.ts";
import type { KeyFilter, KeyService } from "../../control/keys.ts";
import { durationMs } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { type AdminEnv, reachOf, type Visitor } from "./visitor.ts";
import { keyToWire } from "./wire.ts";

const keyPath = z.object({ key: z.string().max(128).meta({ description: "Name or id" }) });
const keyAnswer = { description: "The key", content: { "application/json": { schema: keySchema } } };
const createdAnswer = { description: "Created", content: { "application/json": { schema: createdKeySchema } } };

const listRoute = createRoute({
  method: "get",
  path: "/api/keys",
  summary: "List client keys, newest first",
  responses: { 200: { description: "Keys", content: { "application/json": { schema: keyListSchema } } } },
});

const showRoute = createRoute({
  method: "get",
  path: "/api/keys/{key}",
  summary: "What a client key may do and take",
  request: { params: keyPath },
  responses: { 200: keyAnswer, ...REFUSALS },
});

const createKeyRoute = createRoute({
  method: "post",
  path: "/api/keys",
  summary: "Create a client key; this is the only answer that shows it",
  request: { body: { required: true, content: { "application/json": { schema: createKeySchema } } } },
  responses: { 201: createdAnswer, ...REFUSALS },
});

const rotateRoute = createRoute({
  method: "post",
  path: "/api/keys/{key}/rotate",
  summary: "Put a new client key in the place of one; this is the only answer that shows it",
  request: {
    params: keyPath,
    body: { required: true, content: { "application/json": { schema: rotateKeySchema } } },
  },
  responses: { 201: createdAnswer, ...REFUSALS },
});

const revokeRoute = createRoute({
  method: "delete",
  path: "/api/keys/{key}",
  summary: "Revoke a client key: it is refused from now on",
  request: { params: keyPath },
  responses: { 200: keyAnswer, ...REFUSALS },
});

const DEFAULT_OVERLAP_MS = 3_600_000;

export function createKeyRoutes(keys: KeyService): OpenAPIHono<AdminEnv> {
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(listRoute, async (context) => {
    const listed = await keys.list(within(context.env.visitor, "keys.read"));
    return context.json(listed.map(keyToWire), 200);
  });
  app.openapi(showRoute, async (context) => {
    const found = await keys.show(context.req.valid("param").key, within(context.env.visitor, "keys.read"));
    return found.ok ? context.json(keyToWire(found.value), 200) : context.json(...refusalAnswer(found.error));
  });
  app.openapi(createKeyRoute, async (context) => {
    const created = await keys.create(draftOf(context.req.valid("json"), context.env.visitor));
    if (!created.ok) return context.json(...refusalAnswer(created.error));
    const { id, name, disclose } = created.value;
    return context.json({ id, name, key: disclose() }, 201);
  });
  app.openapi(rotateRoute, async (context) => {
    const { overlap } = context.req.valid("json");
    const overlapMs = overlap === undefined ? DEFAULT_OVERLAP_MS : (spanMs(overlap) ?? 0);
    const filter = within(context.env.visitor, "keys.create");
    const rotated = await keys.rotate(context.req.valid("param").key, durationMs(overlapMs), filter);
    if (!rotated.ok) return context.json(...refusalAnswer(rotated.error));
    const { id, name, disclose } = rotated.value;
    return context.json({ id, name, key: disclose() }, 201);
  });
  app.openapi(revokeRoute, async (context) => {
    const revoked = await keys.revoke(context.req.valid("param").key, within(context.env.visitor, "keys.revoke"));
    return revoked.ok ? context.json(keyToWire(revoked.value), 200) : context.json(...refusalAnswer(revoked.error));
  });
  return app;
}

/** Everybody's keys, or one's own. */
function within(visitor: Visitor, permission: "keys.read" | "keys.create" | "keys.revoke"): KeyFilter {
  const reach = reachOf(visitor, [permission, "keys.own"]);
  return reach === "any" ? {} : { ownerId: reach };
}

/** Whoever makes a key owns it, unless it is the operator at the Unix socket. */
function draftOf(body: CreateKey, visitor: Visitor): KeyDraft {
  const { name, expiresIn, scopes, models, networks, limits = {} } = body;
  const { principal } = visitor;
  return {
    name,
    ownerId: principal?.kind === "user" ? principal.userId : null,
    isOperator: principal?.kind === "socket",
    mayGrantMore: reachOf(visitor, ["keys.create", "keys.own"]) === "any",
    expiresInMs: expiresIn === undefined || expiresIn === "never" ? (expiresIn ?? null) : spanOf(expiresIn),
    scopes: scopes ?? null,
    models: models ?? null,
    networks: networks ?? null,
    limits: {
      ...limitOf("requestsPerMinute", limits.requestsPerMinute),
      ...limitOf("inputTokensPerMinute", limits.inputTokensPerMinute),
      ...limitOf("outputTokensPerMinute", limits.outputTokensPerMinute),
      ...limitOf("concurrency", limits.concurrency),
    },
  };
}

function spanOf(text: string) {
  const ms = spanMs(text);
  return ms === null ? null : durationMs(ms);
}

/** Nothing for a limit that was not given: the default one counts. */
function limitOf(name: keyof KeyDraft["limits"], value: number | "none" | undefined): KeyDraft["limits"] {
  return value === undefined ? {} : { [name]: value === "none" ? null : value };
}
