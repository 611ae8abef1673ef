import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { doctorSchema, healthSchema } from "../../contract/health.ts";
import {
  requestListSchema,
  requestQuerySchema,
  requestSchema,
  statsQuerySchema,
  statsSchema,
} from "../../contract/requests.ts";
import { spanMs } from "../../contract/span.ts";
import { type DiagnosisNeeds, diagnose } from "../../control/diagnosis.ts";
import type { RequestService } from "../../control/requests.ts";
import type { StatsService } from "../../control/stats.ts";
import { requestId } from "../../domain/ledger/record.ts";
import { durationMs } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import type { AdminEnv, KeyReachOf } from "./visitor.ts";
import { requestToWire, statsToWire } from "./wire.ts";

const requestPath = z.object({ id: z.string().max(128) });

const requestsRoute = createRoute({
  method: "get",
  path: "/api/requests",
  summary: "List requests, newest first",
  request: { query: requestQuerySchema },
  responses: {
    200: { description: "Requests", content: { "application/json": { schema: requestListSchema } } },
    ...REFUSALS,
  },
});

const requestRoute = createRoute({
  method: "get",
  path: "/api/requests/{id}",
  summary: "Show one request",
  request: { params: requestPath },
  responses: {
    200: { description: "The request", content: { "application/json": { schema: requestSchema } } },
    ...REFUSALS,
  },
});

const statsRoute = createRoute({
  method: "get",
  path: "/api/stats",
  summary: "Add up the requests of the last hours or days",
  request: { query: statsQuerySchema },
  responses: {
    200: { description: "Sums", content: { "application/json": { schema: statsSchema } } },
    ...REFUSALS,
  },
});

const doctorRoute = createRoute({
  method: "get",
  path: "/api/doctor",
  summary: "Look at everything that must be well for a client to be served",
  responses: { 200: { description: "Findings", content: { "application/json": { schema: doctorSchema } } } },
});

const healthRoute = createRoute({
  method: "get",
  path: "/healthz",
  summary: "Is the process answering?",
  responses: { 200: { description: "It is", content: { "application/json": { schema: healthSchema } } } },
});

export type ReportNeeds = {
  readonly keyReach: KeyReachOf;
  readonly requests: RequestService;
  readonly stats: StatsService;
  readonly diagnosis: DiagnosisNeeds;
  readonly version: string;
  /** Asked per answer: the port is known only after the data plane listens. */
  readonly dataPlaneUrl: () => string;
};

export function createReportRoutes(needs: ReportNeeds): OpenAPIHono<AdminEnv> {
  const { requests, stats, diagnosis, version, dataPlaneUrl, keyReach } = needs;
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(requestsRoute, async (context) => {
    const reports = await requests.newest(context.req.valid("query").limit, await keyReach(context.env.visitor));
    return context.json(reports.map(requestToWire), 200);
  });
  app.openapi(requestRoute, async (context) => {
    const reach = await keyReach(context.env.visitor);
    const report = await requests.get(requestId(context.req.valid("param").id), reach);
    return report.ok ? context.json(requestToWire(report.value), 200) : context.json(...refusalAnswer(report.error));
  });
  app.openapi(statsRoute, async (context) => {
    const span = spanMs(context.req.valid("query").since) ?? 0;
    const sums = await stats.over(durationMs(span), await keyReach(context.env.visitor));
    return context.json(statsToWire(sums), 200);
  });
  app.openapi(doctorRoute, async (context) => {
    const checks = await diagnose(diagnosis);
    return context.json({ version, dataPlaneUrl: dataPlaneUrl(), checks: [...checks] }, 200);
  });
  app.openapi(healthRoute, (context) => context.json({ status: "ok" as const, version }, 200));
  return app;
}
