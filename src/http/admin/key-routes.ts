import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { createdKeySchema, createKeySchema, keyListSchema, keySchema } from "../../contract/keys.ts";
import { spanMs } from "../../contract/span.ts";
import type { KeyService } from "../../control/keys.ts";
import { durationMs } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { keyToWire } from "./wire.ts";

const keyPath = z.object({ key: z.string().max(128).meta({ description: "Name or id" }) });

const listRoute = createRoute({
  method: "get",
  path: "/api/keys",
  summary: "List client keys, newest first",
  responses: { 200: { description: "Keys", content: { "application/json": { schema: keyListSchema } } } },
});

const createKeyRoute = createRoute({
  method: "post",
  path: "/api/keys",
  summary: "Create a client key; this is the only answer that shows it",
  request: { body: { required: true, content: { "application/json": { schema: createKeySchema } } } },
  responses: {
    201: { description: "Created", content: { "application/json": { schema: createdKeySchema } } },
    ...REFUSALS,
  },
});

const revokeRoute = createRoute({
  method: "delete",
  path: "/api/keys/{key}",
  summary: "Revoke a client key: it is refused from now on",
  request: { params: keyPath },
  responses: {
    200: { description: "Revoked", content: { "application/json": { schema: keySchema } } },
    ...REFUSALS,
  },
});

export function createKeyRoutes(keys: KeyService): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(listRoute, async (context) => context.json((await keys.list()).map(keyToWire), 200));
  app.openapi(createKeyRoute, async (context) => {
    const { name, expiresIn } = context.req.valid("json");
    const expiresInMs = expiresIn === undefined ? null : spanMs(expiresIn);
    const created = await keys.create(name, expiresInMs === null ? null : durationMs(expiresInMs));
    if (!created.ok) return context.json(...refusalAnswer(created.error));
    const { id, disclose } = created.value;
    return context.json({ id, name: created.value.name, key: disclose() }, 201);
  });
  app.openapi(revokeRoute, async (context) => {
    const revoked = await keys.revoke(context.req.valid("param").key);
    return revoked.ok ? context.json(keyToWire(revoked.value), 200) : context.json(...refusalAnswer(revoked.error));
  });
  return app;
}
