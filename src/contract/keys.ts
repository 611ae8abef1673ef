import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { spanSchema } from "./span.ts";

export const createKeySchema = z
  .strictObject({
    name: z.string(),
    expiresIn: spanSchema.optional().meta({ description: "From now; the key never expires when absent" }),
  })
  .meta({ id: "CreateKey" });

/** The only answer that holds a key. */
export const createdKeySchema = z
  .object({ id: z.string(), name: z.string(), key: z.string() })
  .meta({ id: "CreatedKey" });

export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum(["active", "expired", "revoked"]),
    createdAt: instantSchema,
    expiresAt: instantSchema.nullable(),
    revokedAt: instantSchema.nullable(),
    lastUsedAt: instantSchema.nullable(),
  })
  .meta({ id: "Key" });

export const keyListSchema = z.array(keySchema);

export type CreateKey = z.infer<typeof createKeySchema>;
export type CreatedKeyWire = z.infer<typeof createdKeySchema>;
export type KeyWire = z.infer<typeof keySchema>;
