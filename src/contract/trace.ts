import { z } from "zod";
import { requestSchema } from "./requests.ts";
import { spanSchema } from "./span.ts";

/** What a replay needs of a request: who, when and how much. */
const traceRequestSchema = requestSchema
  .pick({
    id: true,
    startedAt: true,
    outcome: true,
    account: true,
    clientKey: true,
    model: true,
    stream: true,
    usage: true,
    timing: true,
    costMicroUsd: true,
  })
  .extend({
    conversation: z.string().nullable().meta({
      description: "Equal for the requests of one conversation; null: it had none, or an old release served it",
    }),
  })
  .meta({ id: "TraceRequest" });

export const traceSchema = z
  .object({
    requests: z.array(traceRequestSchema).meta({ description: "Oldest first; those that have ended" }),
    next: z.string().nullable().meta({ description: "Give it as `after` for the next page; null: this is the last" }),
  })
  .meta({ id: "Trace" });

export const traceQuerySchema = z.object({
  since: spanSchema.default("24h"),
  after: z.string().max(128).optional().meta({ description: "`next` of the page before" }),
  limit: z.coerce.number().int().min(1).max(5000).default(5000),
});

export type TraceRequestWire = z.infer<typeof traceRequestSchema>;
export type TraceWire = z.infer<typeof traceSchema>;
