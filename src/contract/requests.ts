import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { spanSchema } from "./span.ts";

const tokensSchema = z.int().nullable();
const durationSchema = z.number().nullable();

const outcomeSchema = z.enum([
  "in_flight",
  "completed",
  "upstream_error",
  "client_gone",
  "truncated",
  "refused",
  "revoked",
  "interrupted",
]);

export const requestSchema = z
  .object({
    id: z.string(),
    startedAt: instantSchema,
    status: z.int().nullable(),
    outcome: outcomeSchema,
    account: z.string().nullable().meta({ description: "Name; the id when the account was removed" }),
    clientKey: z.string().meta({ description: "Name; the id when it is not known" }),
    model: z.string().nullable(),
    stream: z.boolean(),
    attempts: z.int(),
    usage: z.object({
      inputTokens: tokensSchema,
      cacheWrite5mTokens: tokensSchema,
      cacheWrite1hTokens: tokensSchema,
      cacheReadTokens: tokensSchema,
      outputTokens: tokensSchema,
    }),
    costMicroUsd: z
      .int()
      .nullable()
      .meta({ description: "At list prices; null: not metered, or the price is not known" }),
    timing: z.object({ queueMs: durationSchema, firstByteMs: durationSchema, totalMs: durationSchema }),
    method: z.string(),
    path: z.string(),
    errorType: z.string().nullable(),
    upstreamRequestId: z.string().nullable(),
    thinkingDropped: z
      .int()
      .nullable()
      .meta({ description: "Thinking blocks that upstream removed from the input; null: it said nothing of them" }),
  })
  .meta({ id: "Request" });

export const requestListSchema = z.array(requestSchema);

export const requestQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(50).meta({ description: "How many, newest first" }),
});

const statsLineSchema = z.object({
  requests: z.int(),
  completed: z.int(),
  failed: z.int().meta({ description: "upstream_error, truncated, refused or interrupted" }),
  clientGone: z.int(),
  inFlight: z.int(),
  inputTokens: z.int(),
  cacheWrite5mTokens: z.int(),
  cacheWrite1hTokens: z.int(),
  cacheReadTokens: z.int(),
  outputTokens: z.int(),
});

export const statsSchema = z
  .object({
    since: instantSchema,
    total: statsLineSchema,
    accounts: z.array(statsLineSchema.extend({ account: z.string().nullable() })),
    models: z.array(statsLineSchema.extend({ model: z.string().nullable() })),
  })
  .meta({ id: "Stats" });

export const statsQuerySchema = z.object({ since: spanSchema.default("24h") });

export type RequestWire = z.infer<typeof requestSchema>;
export type StatsLineWire = z.infer<typeof statsLineSchema>;
export type StatsWire = z.infer<typeof statsSchema>;
