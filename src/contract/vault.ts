import { z } from "zod";
import { instantSchema } from "./instant.ts";

const purposeSchema = z.string().max(64).meta({ description: "What a data key is for, e.g. accounts" });

export const vaultStatusSchema = z.object({
  masterKeyId: z.string(),
  masterKeyKind: z.enum(["file", "value", "passphrase"]),
  dataKeys: z.array(
    z.object({
      id: z.number().int(),
      purpose: purposeSchema,
      state: z.enum(["active", "decrypt_only"]),
      createdAt: instantSchema,
      uses: z.number().int().meta({ description: "Sealed values, or live client keys, that need it" }),
    }),
  ),
  isReencrypting: z.boolean(),
});

export const rotateDataKeySchema = z.strictObject({
  purpose: purposeSchema.optional(),
});

export const rotateMasterKeySchema = z.strictObject({
  newKeyFile: z.string().regex(/^\//).max(4096).meta({ description: "Absolute path on the gateway's machine" }),
});

export const rotatedMasterKeySchema = z.object({
  masterKeyId: z.string(),
  previousMasterKeyId: z.string(),
  nextStep: z.string().nullable(),
});

export const vaultVerificationSchema = z.object({
  isOk: z.boolean(),
  dataKeyCount: z.number().int(),
  sealedCount: z.number().int(),
  problemCount: z.number().int(),
  problems: z.array(z.object({ table: z.string(), column: z.string(), rowId: z.string(), problem: z.string() })),
});

export type VaultStatusWire = z.infer<typeof vaultStatusSchema>;
export type VaultVerificationWire = z.infer<typeof vaultVerificationSchema>;
