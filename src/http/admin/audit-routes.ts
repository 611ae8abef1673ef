import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import {
  auditExportQuerySchema,
  auditExportSchema,
  auditListQuerySchema,
  auditListSchema,
} from "../../contract/audit.ts";
import type { AuditReader } from "../../control/audit-port.ts";
import { REFUSALS } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/audit",
  summary: "List audit entries, newest first",
  request: { query: auditListQuerySchema },
  responses: {
    200: { description: "Entries", content: { "application/json": { schema: auditListSchema } } },
    ...REFUSALS,
  },
});

const exportRoute = createRoute({
  method: "get",
  path: "/api/audit/export",
  summary: "Read the audit log with its hashes and signatures, page by page from the start",
  request: { query: auditExportQuerySchema },
  responses: {
    200: { description: "One page", content: { "application/json": { schema: auditExportSchema } } },
    ...REFUSALS,
  },
});

export function createAuditRoutes(audit: AuditReader): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(listRoute, async (context) => {
    const entries = await audit.newest(context.req.valid("query").limit);
    return context.json([...entries], 200);
  });
  app.openapi(exportRoute, async (context) => {
    const { after, checkpoint } = context.req.valid("query");
    const page = await audit.page({ seq: after, isAfterCheckpoint: checkpoint === "yes" });
    const next =
      page.end === null
        ? null
        : { after: page.end.seq, checkpoint: page.end.isAfterCheckpoint ? ("yes" as const) : ("no" as const) };
    return context.json({ lines: [...page.lines], next }, 200);
  });
  return app;
}
