import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  type AddAccount,
  accountDetailSchema,
  accountListSchema,
  accountSchema,
  accountTestSchema,
  addAccountSchema,
  addedAccountSchema,
  removedAccountSchema,
} from "../../contract/accounts.ts";
import type { AddAccountCommand } from "../../control/account-draft.ts";
import type { AccountService } from "../../control/accounts.ts";
import { parseCredential } from "../../control/credential.ts";
import type { Refusal } from "../../control/refusal.ts";
import { ok, type Result } from "../../kernel/result.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import { accountDetailToWire, accountTestToWire, accountToWire, addedAccountToWire } from "./wire.ts";

const accountPath = z.object({ account: z.string().max(128).meta({ description: "Name or id" }) });

const listRoute = createRoute({
  method: "get",
  path: "/api/accounts",
  summary: "List accounts, first used first",
  responses: { 200: { description: "Accounts", content: { "application/json": { schema: accountListSchema } } } },
});

const addRoute = createRoute({
  method: "post",
  path: "/api/accounts",
  summary: "Add an account",
  request: { body: { required: true, content: { "application/json": { schema: addAccountSchema } } } },
  responses: {
    201: { description: "Added", content: { "application/json": { schema: addedAccountSchema } } },
    ...REFUSALS,
  },
});

const showRoute = createRoute({
  method: "get",
  path: "/api/accounts/{account}",
  summary: "Show an account with its models",
  request: { params: accountPath },
  responses: {
    200: { description: "The account", content: { "application/json": { schema: accountDetailSchema } } },
    ...REFUSALS,
  },
});

const removeRoute = createRoute({
  method: "delete",
  path: "/api/accounts/{account}",
  summary: "Remove an account and forget its credential",
  request: { params: accountPath },
  responses: {
    200: { description: "Removed", content: { "application/json": { schema: removedAccountSchema } } },
    ...REFUSALS,
  },
});

const pauseRoute = createRoute({
  method: "post",
  path: "/api/accounts/{account}/pause",
  summary: "Use an account no more, until it is resumed",
  request: { params: accountPath },
  responses: {
    200: { description: "Paused", content: { "application/json": { schema: accountSchema } } },
    ...REFUSALS,
  },
});

const resumeRoute = createRoute({
  method: "post",
  path: "/api/accounts/{account}/resume",
  summary: "Use an account again and forget its benches",
  request: { params: accountPath },
  responses: {
    200: { description: "Resumed", content: { "application/json": { schema: accountSchema } } },
    ...REFUSALS,
  },
});

const testRoute = createRoute({
  method: "post",
  path: "/api/accounts/{account}/test",
  summary: "Ask the provider for the models of this credential",
  request: { params: accountPath },
  responses: {
    200: { description: "What the provider said", content: { "application/json": { schema: accountTestSchema } } },
    ...REFUSALS,
  },
});

export function createAccountRoutes(accounts: AccountService): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(listRoute, (context) => context.json(accounts.list().map(accountToWire), 200));
  app.openapi(addRoute, async (context) => {
    const command = toCommand(context.req.valid("json"));
    const added = command.ok ? await accounts.add(command.value) : command;
    return added.ok ? context.json(addedAccountToWire(added.value), 201) : context.json(...refusalAnswer(added.error));
  });
  app.openapi(showRoute, (context) => {
    const shown = accounts.show(context.req.valid("param").account);
    return shown.ok ? context.json(accountDetailToWire(shown.value), 200) : context.json(...refusalAnswer(shown.error));
  });
  app.openapi(removeRoute, async (context) => {
    const removed = await accounts.remove(context.req.valid("param").account);
    if (!removed.ok) return context.json(...refusalAnswer(removed.error));
    return context.json({ id: removed.value.id, name: removed.value.name }, 200);
  });
  app.openapi(pauseRoute, async (context) => {
    const paused = await accounts.pause(context.req.valid("param").account);
    return paused.ok ? context.json(accountToWire(paused.value), 200) : context.json(...refusalAnswer(paused.error));
  });
  app.openapi(resumeRoute, async (context) => {
    const resumed = await accounts.resume(context.req.valid("param").account);
    return resumed.ok ? context.json(accountToWire(resumed.value), 200) : context.json(...refusalAnswer(resumed.error));
  });
  app.openapi(testRoute, async (context) => {
    const tested = await accounts.test(context.req.valid("param").account);
    return tested.ok
      ? context.json(accountTestToWire(tested.value), 200)
      : context.json(...refusalAnswer(tested.error));
  });
  return app;
}

function toCommand(wire: AddAccount): Result<AddAccountCommand, Refusal> {
  const credential = parseCredential(wire.credential);
  if (!credential.ok) return credential;
  return ok({
    name: wire.name,
    provider: wire.provider,
    credential: credential.value,
    credentialKind: wire.credentialKind,
    baseUrl: wire.baseUrl ?? null,
    priority: wire.priority ?? null,
    weight: wire.weight ?? null,
    organization: wire.organization ?? null,
    workspace: wire.workspace ?? null,
  });
}
