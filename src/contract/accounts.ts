import { z } from "zod";
import { instantSchema } from "./instant.ts";

/** One rate limit of the provider, as it last described it; null means that it did not say. */
const windowSchema = z
  .object({
    name: z.string().meta({ example: "5h" }),
    modelClass: z.string().nullable().meta({ description: "null: the window covers every model" }),
    status: z.string().nullable(),
    limit: z.number().nullable(),
    remaining: z.number().nullable(),
    usedRatio: z
      .number()
      .nullable()
      .meta({ description: "0..1; above 1 when overage is allowed; 0 once the reset has passed" }),
    leftRatio: z.number().nullable().meta({ description: "0..1" }),
    resetAt: instantSchema.nullable(),
    pace: z
      .enum(["ahead", "on", "behind"])
      .nullable()
      .meta({ description: "ahead: used faster than time passes. null: the window's length is not known" }),
    exhaustsAt: instantSchema
      .nullable()
      .meta({ description: "When it is used up at the pace so far; null when it resets before that" }),
    seenAt: instantSchema.meta({ description: "When the provider last described it" }),
  })
  .meta({ id: "AccountWindow" });

export const accountStateSchema = z.enum(["ready", "limited", "paused", "needs_reauth", "dead"]);

export const credentialKindSchema = z.enum(["api_key", "bearer"]);

export const accountSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    provider: z.literal("anthropic"),
    state: accountStateSchema,
    priority: z.int().meta({ description: "Lower is used first" }),
    weight: z.int().meta({ description: "Share of new work in the strategy weighted" }),
    windows: z.array(windowSchema),
    baseUrl: z.string(),
    credentialKind: credentialKindSchema,
    organization: z.string().nullable(),
    workspace: z.string().nullable(),
    modelCount: z.int().meta({ description: "Models the provider listed for this credential; 0 when not known" }),
    createdAt: instantSchema,
    reason: z.string().nullable().meta({ description: "Why it is not ready" }),
    cause: z
      .string()
      .nullable()
      .meta({ description: "Which status or header said so", example: "status 429, retry-after" }),
    until: instantSchema.nullable().meta({ description: "When it will be, if that is known" }),
  })
  .meta({ id: "Account" });

export const accountListSchema = z.array(accountSchema);

export const accountDetailSchema = accountSchema
  .extend({ models: z.array(z.object({ id: z.string(), displayName: z.string() })) })
  .meta({ id: "AccountDetail" });

/** Limits of name, priority and so on are the control plane's, so that every door gives the same refusal. */
export const addAccountSchema = z
  .strictObject({
    name: z.string(),
    provider: z.literal("anthropic"),
    credential: z.string().meta({ description: "The key or token itself. Never given back" }),
    credentialKind: credentialKindSchema,
    baseUrl: z.string().optional().meta({ default: "https://api.anthropic.com" }),
    priority: z.number().optional().meta({ default: 100 }),
    weight: z.number().optional().meta({ default: 1 }),
    organization: z.string().optional(),
    workspace: z.string().optional(),
  })
  .meta({ id: "AddAccount" });

export const addedAccountSchema = accountSchema
  .extend({ warning: z.string().nullable().meta({ description: "The account was added, but its models are unknown" }) })
  .meta({ id: "AddedAccount" });

export const removedAccountSchema = z.object({ id: z.string(), name: z.string() }).meta({ id: "RemovedAccount" });

export const accountTestSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    isOk: z.boolean(),
    status: z.int().nullable().meta({ description: "HTTP status of the provider; null when no answer came" }),
    detail: z.string(),
    modelCount: z.int(),
  })
  .meta({ id: "AccountTest" });

export type AccountWire = z.infer<typeof accountSchema>;
export type AccountWindowWire = z.infer<typeof windowSchema>;
export type AccountDetailWire = z.infer<typeof accountDetailSchema>;
export type AddAccount = z.infer<typeof addAccountSchema>;
export type AddedAccountWire = z.infer<typeof addedAccountSchema>;
export type AccountTestWire = z.infer<typeof accountTestSchema>;
