import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { spanSchema } from "./span.ts";

/** The same words as in domain/access/key-grant.ts, where a test compares them. */
export const keyScopeSchema = z.enum([
  "messages",
  "count_tokens",
  "models",
  "batches",
  "files",
  "other",
  "metrics",
  "passthrough",
]);

/** A number, or the word that says that there is no such limit: null is not taken for one. */
const limitSchema = z.union([z.literal("none"), z.int().min(1).max(1_000_000_000)]);

export const createKeySchema = z
  .strictObject({
    name: z.string(),
    expiresIn: z
      .union([z.literal("never"), spanSchema])
      .optional()
      .meta({ description: "From now, at most 365d, by default 90d; only the operator may say never" }),
    scopes: z
      .array(keyScopeSchema)
      .min(1)
      .max(20)
      .optional()
      .meta({ description: "What it may be used for; all but passthrough when absent" }),
    models: z
      .array(z.string())
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Model ids, or the beginning of one and a "*"; all when absent' }),
    networks: z
      .array(z.string())
      .min(1)
      .max(100)
      .optional()
      .meta({ description: "IP addresses and ranges from which it may be used; all when absent" }),
    limits: z
      .strictObject({
        requestsPerMinute: limitSchema
          .optional()
          .meta({ description: "600 when absent; none for the operator at the Unix socket" }),
        inputTokensPerMinute: limitSchema.optional().meta({ description: "none when absent" }),
        outputTokensPerMinute: limitSchema.optional().meta({ description: "none when absent" }),
        concurrency: limitSchema
          .optional()
          .meta({ description: "50 when absent; none for the operator at the Unix socket" }),
      })
      .optional(),
  })
  .meta({ id: "CreateKey" });

export const rotateKeySchema = z
  .strictObject({
    overlap: z
      .union([z.literal("none"), spanSchema])
      .optional()
      .meta({ description: "How long the old key goes on to be accepted, at most 24h; 1h when absent" }),
  })
  .meta({ id: "RotateKey" });

/** The only answer that holds a key. */
export const createdKeySchema = z
  .object({ id: z.string(), name: z.string(), key: z.string() })
  .meta({ id: "CreatedKey" });

const countSchema = z.number().nullable().meta({ description: "null: no such limit" });

export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum(["active", "rotated", "suspended", "expired", "revoked"]),
    ownerId: z.string().nullable().meta({ description: "null: the operator's" }),
    scopes: z.array(keyScopeSchema).nullable(),
    models: z.array(z.string()).nullable(),
    networks: z.array(z.string()).nullable(),
    limits: z.object({
      requestsPerMinute: countSchema,
      inputTokensPerMinute: countSchema,
      outputTokensPerMinute: countSchema,
      concurrency: countSchema,
    }),
    rotatedTo: z.string().nullable().meta({ description: "Id of the key that took its place" }),
    createdAt: instantSchema,
    expiresAt: instantSchema.nullable(),
    revokedAt: instantSchema.nullable(),
    lastUsedAt: instantSchema.nullable(),
  })
  .meta({ id: "Key" });

export const keyListSchema = z.array(keySchema);

export type CreateKey = z.infer<typeof createKeySchema>;
export type RotateKey = z.infer<typeof rotateKeySchema>;
export type CreatedKeyWire = z.infer<typeof createdKeySchema>;
export type KeyWire = z.infer<typeof keySchema>;
