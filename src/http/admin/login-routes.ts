import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { addedAccountSchema } from "../../contract/accounts.ts";
import {
  type BeginLogin,
  beginAgainSchema,
  beginLoginSchema,
  begunLoginSchema,
  finishLoginSchema,
} from "../../contract/logins.ts";
import { parseCredential } from "../../control/credential.ts";
import type { BeginLoginCommand } from "../../control/login-draft.ts";
import type { BegunLogin, LoginService } from "../../control/logins.ts";
import { toRfc3339 } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { addedAccountToWire } from "./wire.ts";

const BEGUN = { 201: { description: "Begun", content: { "application/json": { schema: begunLoginSchema } } } };

const beginRoute = createRoute({
  method: "post",
  path: "/api/logins",
  summary: "Begin to add an account by an OAuth login",
  request: { body: { required: true, content: { "application/json": { schema: beginLoginSchema } } } },
  responses: { ...BEGUN, ...REFUSALS },
});

const againRoute = createRoute({
  method: "post",
  path: "/api/accounts/{account}/logins",
  summary: "Begin to log an account in again",
  request: {
    params: z.object({ account: z.string().max(128).meta({ description: "Name or id" }) }),
    body: { required: true, content: { "application/json": { schema: beginAgainSchema } } },
  },
  responses: { ...BEGUN, ...REFUSALS },
});

const finishRoute = createRoute({
  method: "post",
  path: "/api/logins/finish",
  summary: "Finish a login with the code that the provider gave; the session is used up, whatever comes of it",
  request: { body: { required: true, content: { "application/json": { schema: finishLoginSchema } } } },
  responses: {
    200: { description: "The account", content: { "application/json": { schema: addedAccountSchema } } },
    ...REFUSALS,
  },
});

export function createLoginRoutes(logins: LoginService): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(beginRoute, async (context) => {
    const begun = await logins.begin(toCommand(context.req.valid("json")));
    return begun.ok ? context.json(begunToWire(begun.value), 201) : context.json(...refusalAnswer(begun.error));
  });
  app.openapi(againRoute, async (context) => {
    const { redirectUri } = context.req.valid("json");
    const begun = await logins.beginAgain(context.req.valid("param").account, redirectUri ?? null);
    return begun.ok ? context.json(begunToWire(begun.value), 201) : context.json(...refusalAnswer(begun.error));
  });
  app.openapi(finishRoute, async (context) => {
    const { session, code, state } = context.req.valid("json");
    const secret = parseCredential(code);
    const finished = secret.ok ? await logins.finish({ session, code: secret.value, state }) : secret;
    return finished.ok
      ? context.json(addedAccountToWire(finished.value), 200)
      : context.json(...refusalAnswer(finished.error));
  });
  return app;
}

function toCommand(wire: BeginLogin): BeginLoginCommand {
  return {
    name: wire.name,
    provider: wire.provider,
    clientId: wire.clientId ?? null,
    authorizeUrl: wire.authorizeUrl,
    tokenUrl: wire.tokenUrl,
    scopes: wire.scopes,
    redirectUri: wire.redirectUri ?? null,
    acceptTerms: wire.acceptTerms,
    baseUrl: wire.baseUrl ?? null,
    priority: wire.priority ?? null,
    weight: wire.weight ?? null,
    organization: wire.organization ?? null,
    workspace: wire.workspace ?? null,
  };
}

function begunToWire({ session, authorizeUrl, expiresAtMs }: BegunLogin) {
  return { session, authorizeUrl, expiresAt: toRfc3339(expiresAtMs) };
}
