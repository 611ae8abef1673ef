import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import {
  auditExportQuerySchema,
  auditExportSchema,
  auditListQuerySchema,
  auditListSchema,
  auditPruneSchema,
  auditSinkListSchema,
  pruneOrderSchema,
} from "../../contract/audit.ts";
import type { AuditReader, AuditSinkReport } from "../../control/audit-port.ts";
import { type EpochMs, toRfc3339 } from "../../kernel/time.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
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

const sinksRoute = createRoute({
  method: "get",
  path: "/api/audit/sinks",
  summary: "Show where copies of the audit log go, and how far behind they are",
  responses: { 200: { description: "Sinks", content: { "application/json": { schema: auditSinkListSchema } } } },
});

const pruneRoute = createRoute({
  method: "post",
  path: "/api/audit/prune",
  summary: "Remove entries whose time is over, behind a signed mark",
  request: { body: { required: true, content: { "application/json": { schema: pruneOrderSchema } } } },
  responses: {
    200: { description: "Removed", content: { "application/json": { schema: auditPruneSchema } } },
    ...REFUSALS,
  },
});

export function createAuditRoutes(audit: AuditReader): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(listRoute, async (context) => {
    const entries = await audit.newest(context.req.valid("query").limit);
    return context.json(
      entries.map(({ seq, entry }) => ({ seq, entry })),
      200,
    );
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
  app.openapi(sinksRoute, async (context) => {
    const sinks = await audit.sinks();
    const toWire = ({ behindSinceMs, ...sink }: AuditSinkReport) => ({ ...sink, behindSince: instant(behindSinceMs) });
    return context.json(sinks.map(toWire), 200);
  });
  app.openapi(pruneRoute, async (context) => {
    const pruned = await audit.prune(context.req.valid("json"));
    if (!pruned.ok) return context.json(...refusalAnswer(pruned.error));
    const { olderThanMs, ...report } = pruned.value;
    return context.json({ ...report, olderThan: toRfc3339(olderThanMs) }, 200);
  });
  return app;
}

function instant(atMs: EpochMs | null): string | null {
  return atMs === null ? null : toRfc3339(atMs);
}
