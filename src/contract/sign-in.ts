import { z } from "zod";
import { instantSchema } from "./instant.ts";
import { roleSchema } from "./users.ts";

/** Lengths here only keep nonsense out; what a password must be is the control plane's to say. */
const passwordSchema = z.string().max(1024);
const codeSchema = z.string().max(64);

export const setUpSchema = z
  .strictObject({ secret: z.string().max(128), name: z.string().max(256), password: passwordSchema })
  .meta({ id: "SetUp" });

export const loginSchema = z
  .strictObject({ name: z.string().max(256), password: passwordSchema })
  .meta({ id: "Login" });

export const codeProofSchema = z.strictObject({ code: codeSchema }).meta({ id: "CodeProof" });

export const stepUpSchema = z
  .strictObject({ password: passwordSchema, code: codeSchema.nullable().default(null) })
  .meta({ id: "StepUp" });

export const changePasswordSchema = z
  .strictObject({ current: passwordSchema, next: passwordSchema })
  .meta({ id: "ChangePassword" });

/** Who is signed in. The cookie itself is in Set-Cookie alone. */
export const signedInSchema = z
  .object({
    user: z.object({ id: z.string(), name: z.string(), role: roleSchema }).nullable().meta({
      description: "null: whoever may open the Unix socket",
    }),
    via: z.enum(["socket", "session", "token"]),
    sessionId: z.string().nullable(),
    mustEnrol: z.boolean().meta({ description: "May only care for its own access: a factor or a new password is due" }),
    mustChangePassword: z.boolean(),
    csrfToken: z.string().nullable().meta({ description: "For the header x-csrf-token; null without a session" }),
    endsAt: instantSchema.nullable(),
    isCookieBoundToTls: z.boolean().meta({ description: "false on plain HTTP, which the loopback alone may have" }),
  })
  .meta({ id: "SignedIn" });

export const loginAnswerSchema = z
  .union([
    z.object({
      next: z.literal("totp").meta({ description: "POST /auth/mfa/totp or /auth/mfa/recovery within 5 min" }),
    }),
    signedInSchema.extend({ next: z.null() }),
  ])
  .meta({ id: "LoginAnswer" });

export const sessionSchema = z
  .object({
    id: z.string(),
    createdAt: instantSchema,
    lastUsedAt: instantSchema,
    endsAt: instantSchema,
    ip: z.string().nullable(),
    isCurrent: z.boolean(),
  })
  .meta({ id: "Session" });

export const sessionListSchema = z.array(sessionSchema);

export const begunTotpSchema = z.object({ uri: z.string(), secret: z.string() }).meta({ id: "BegunTotp" });

export const recoveryCodesSchema = z.object({ recoveryCodes: z.array(z.string()) }).meta({ id: "RecoveryCodes" });

export const confirmedTotpSchema = signedInSchema
  .extend({ recoveryCodes: z.array(z.string()) })
  .meta({ id: "ConfirmedTotp" });

export const doneSchema = z.object({ done: z.literal(true) }).meta({ id: "Done" });

export const mintedSetupSchema = z.object({ secret: z.string(), expiresAt: instantSchema }).meta({ id: "MintedSetup" });

export type SignedInWire = z.infer<typeof signedInSchema>;
export type MintedSetupWire = z.infer<typeof mintedSetupSchema>;
