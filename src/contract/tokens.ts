import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { spanSchema } from "./span.ts";

const ownerSchema = z
  .string()
  .max(256)
  .optional()
  .meta({ description: "Over the Unix socket alone, which is nobody in particular: whose token" });

export const tokenOwnerSchema = z.object({ user: ownerSchema });

export const createTokenSchema = z
  .strictObject({
    user: ownerSchema,
    name: z.string().max(256),
    expiresIn: spanSchema.optional().meta({ description: "From now, at most 365d; 90d when absent" }),
  })
  .meta({ id: "CreateToken" });

/** The only answer that holds a token. */
export const createdTokenSchema = z
  .object({ id: z.string(), name: z.string(), token: z.string(), expiresAt: instantSchema })
  .meta({ id: "CreatedToken" });

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum(["active", "expired", "revoked"]),
    createdAt: instantSchema,
    expiresAt: instantSchema,
    lastUsedAt: instantSchema.nullable(),
  })
  .meta({ id: "Token" });

export const tokenListSchema = z.array(tokenSchema);

export type TokenWire = z.infer<typeof tokenSchema>;
