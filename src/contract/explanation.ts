import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { requestSchema } from "./requests.ts";

const moveSchema = z
  .object({
    from: z.string().meta({ description: "The account where the conversation's cache is" }),
    kind: z.enum(["same_cache", "same_organization", "other_organization", "other_platform"]),
    priceMicroUsd: z.number().meta({ description: "Writing the cache again instead of reading it" }),
    homeReturnsAt: instantSchema.nullable(),
    setsHome: z.boolean().meta({ description: "false: this request only, the next one goes home again" }),
  })
  .meta({ id: "DecisionMove" });

const skipSchema = z
  .object({
    account: z.string(),
    reason: z.string(),
    until: instantSchema.nullable(),
    cause: z.string().nullable().meta({ description: "Which status or header said so" }),
  })
  .meta({ id: "DecisionSkip" });

const skipped = {
  skipped: z.array(skipSchema),
  skippedCount: z.int().meta({ description: "All that were passed over; `skipped` holds the first of them" }),
};

const stepSchema = z
  .discriminatedUnion("kind", [
    z.object({
      kind: z.literal("tried"),
      account: z.string(),
      why: z.string(),
      move: moveSchema.nullable(),
      reason: z.string(),
      status: z.int().nullable(),
      cause: z.string().nullable(),
      ...skipped,
    }),
    z.object({
      kind: z.literal("waited"),
      why: z.string(),
      until: instantSchema,
      ms: z.number(),
      move: moveSchema.nullable().meta({ description: "The move that was too dear" }),
    }),
    z.object({ kind: z.literal("refused"), code: z.string(), until: instantSchema.nullable(), ...skipped }),
  ])
  .meta({ id: "DecisionStep" });

export const explanationSchema = z
  .object({
    request: requestSchema,
    sentences: z.array(z.string()).meta({ description: "For a person" }),
    decision: z
      .object({
        strategy: z.string(),
        conversation: z
          .enum(["session_id", "user_id", "prefix"])
          .nullable()
          .meta({ description: "What told the conversation apart; null: it had none" }),
        steps: z.array(stepSchema),
      })
      .nullable()
      .meta({ description: "null: none was kept; the sentence says why" }),
  })
  .meta({ id: "Explanation" });

export type ExplanationWire = z.infer<typeof explanationSchema>;
export type DecisionStepWire = z.infer<typeof stepSchema>;
export type DecisionMoveWire = z.infer<typeof moveSchema>;
export type DecisionSkipWire = z.infer<typeof skipSchema>;
