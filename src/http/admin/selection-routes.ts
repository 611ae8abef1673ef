import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { explanationSchema } from "../../contract/explanation.ts";
import { spanMs } from "../../contract/span.ts";
import { type StrategyWire, setStrategySchema, strategySchema } from "../../contract/strategy.ts";
import { type TraceWire, traceQuerySchema, traceSchema } from "../../contract/trace.ts";
import type { ExplanationService } from "../../control/explanation.ts";
import type { SelectionService, StrategyReport } from "../../control/selection.ts";
import type { Trace, TraceService } from "../../control/trace.ts";
import { requestId } from "../../domain/ledger/record.ts";
import { STRATEGIES } from "../../domain/selection/strategy-name.ts";
import { durationMs } from "../../kernel/time.ts";
import { explanationToWire } from "./decision-wire.ts";
import { REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";
import type { AdminEnv, KeyReachOf } from "./visitor.ts";
import { requestToWire } from "./wire.ts";

const strategyAnswer = { description: "The strategy", content: { "application/json": { schema: strategySchema } } };

const strategyRoute = createRoute({
  method: "get",
  path: "/api/strategy",
  summary: "Show how an account is chosen",
  responses: { 200: strategyAnswer },
});

const setStrategyRoute = createRoute({
  method: "put",
  path: "/api/strategy",
  summary: "Choose accounts by another strategy, from the next request on",
  request: { body: { required: true, content: { "application/json": { schema: setStrategySchema } } } },
  responses: { 200: strategyAnswer, ...REFUSALS },
});

const explanationRoute = createRoute({
  method: "get",
  path: "/api/requests/{id}/explanation",
  summary: "Say why a request went where it went",
  request: { params: z.object({ id: z.string().max(128) }) },
  responses: {
    200: { description: "The reasons", content: { "application/json": { schema: explanationSchema } } },
    ...REFUSALS,
  },
});

const traceRoute = createRoute({
  method: "get",
  path: "/api/requests/trace",
  summary: "Read the requests of the last hours or days, for a replay",
  request: { query: traceQuerySchema },
  responses: {
    200: { description: "One page", content: { "application/json": { schema: traceSchema } } },
    ...REFUSALS,
  },
});

export type SelectionRouteNeeds = {
  readonly selection: SelectionService;
  readonly explanations: ExplanationService;
  readonly trace: TraceService;
  readonly keyReach: KeyReachOf;
};

/** To be mounted before the routes of `/api/requests/{id}`: "trace" is no id. */
export function createSelectionRoutes(needs: SelectionRouteNeeds): OpenAPIHono<AdminEnv> {
  const { selection, explanations, trace, keyReach } = needs;
  const app = new OpenAPIHono<AdminEnv>({ defaultHook: refuseInvalid });

  app.openapi(strategyRoute, (context) => context.json(strategyToWire(selection.strategy()), 200));
  app.openapi(setStrategyRoute, async (context) => {
    const set = await selection.setStrategy(context.req.valid("json").name);
    return set.ok ? context.json(strategyToWire(set.value), 200) : context.json(...refusalAnswer(set.error));
  });
  app.openapi(traceRoute, async (context) => {
    const { since, after, limit } = context.req.valid("query");
    const span = durationMs(spanMs(since) ?? 0);
    const page = await trace.page({ span, afterId: after === undefined ? null : requestId(after), limit });
    return context.json(traceToWire(page), 200);
  });
  app.openapi(explanationRoute, async (context) => {
    const reach = await keyReach(context.env.visitor);
    const explained = await explanations.explain(requestId(context.req.valid("param").id), reach);
    return explained.ok
      ? context.json(explanationToWire(explained.value), 200)
      : context.json(...refusalAnswer(explained.error));
  });
  return app;
}

function strategyToWire(report: StrategyReport): StrategyWire {
  return { ...report, strategies: [...STRATEGIES] };
}

function traceToWire({ requests, nextId }: Trace): TraceWire {
  const wires = requests.map(({ conversation, ...report }) => {
    const { id, startedAt, outcome, account, clientKey, model, stream, usage, timing, costMicroUsd } =
      requestToWire(report);
    return { id, startedAt, outcome, account, clientKey, model, stream, usage, timing, costMicroUsd, conversation };
  });
  return { requests: wires, next: nextId };
}
