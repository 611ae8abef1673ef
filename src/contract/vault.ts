import { z } from "zod";
import { instantSchema } from "./instant.ts";

const purposeSchema = z.string().max(64).meta({ description: "What a data key is for, e.g. accounts" });

const masterKeyKindSchema = z.enum(["file", "value", "passphrase", "keychain", "pkcs11"]);

export const vaultStatusSchema = z.object({
  masterKeyId: z.string(),
  masterKeyKind: masterKeyKindSchema,
  isMasterKeyReachable: z.boolean().meta({ description: "False when it is in a token that does not answer" }),
  dataKeys: z.array(
    z.object({
      id: z.number().int(),
      purpose: purposeSchema,
      state: z.enum(["active", "decrypt_only"]),
      createdAt: instantSchema,
      encryptions: z.number().int(),
      uses: z.number().int().meta({ description: "Sealed values, or live client keys, that need it" }),
    }),
  ),
  isReencrypting: z.boolean(),
});

export const rotateDataKeySchema = z.strictObject({
  purpose: purposeSchema.optional(),
});

export const rotateMasterKeySchema = z.strictObject({
  to: masterKeyKindSchema.optional().meta({ description: "Where the new key is kept; as before when it is left out" }),
  newKeyFile: z
    .string()
    .regex(/^\//)
    .max(4096)
    .optional()
    .meta({ description: "Absolute path on the gateway's machine. Left out: the source makes the key" }),
});

export const rotatedMasterKeySchema = z.object({
  masterKeyKind: masterKeyKindSchema,
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
