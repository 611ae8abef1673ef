import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { logLevelSchema, setLogLevelSchema } from "../../contract/log-level.ts";
import type { LogLevelService } from "../../control/log-level.ts";
import { REFUSALS } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";

const answer = { description: "The level", content: { "application/json": { schema: logLevelSchema } } };

const levelRoute = createRoute({
  method: "get",
  path: "/api/log-level",
  summary: "Show the least level that the log prints",
  responses: { 200: answer },
});

const setLevelRoute = createRoute({
  method: "put",
  path: "/api/log-level",
  summary: "Change the least level that the log prints, until the gateway stops",
  request: { body: { required: true, content: { "application/json": { schema: setLogLevelSchema } } } },
  responses: { 200: answer, ...REFUSALS },
});

export function createLogRoutes(levels: LogLevelService): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.openapi(levelRoute, (context) => context.json(levels.report(), 200));
  app.openapi(setLevelRoute, async (context) => context.json(await levels.set(context.req.valid("json").level), 200));
  return app;
}
