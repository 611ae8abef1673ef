import { z } from "zod";
import { instantSchema } from "./instant.ts";

export const roleSchema = z.enum(["member", "operator", "auditor", "admin", "owner"]).meta({ id: "Role" });

export const createUserSchema = z
  .strictObject({ name: z.string().max(256), role: roleSchema, password: z.string().max(1024) })
  .meta({ id: "CreateUser" });

export const setRoleSchema = z.strictObject({ role: roleSchema }).meta({ id: "SetRole" });

export const setPasswordSchema = z
  .strictObject({ password: z.string().max(1024) })
  .meta({ id: "SetPassword", description: "For one login within 24 h, which must change it" });

export const userSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: roleSchema,
    state: z.enum(["active", "disabled", "locked_out"]),
    hasTotp: z.boolean(),
    mustChangePassword: z.boolean(),
    createdAt: instantSchema,
    lastLoginAt: instantSchema.nullable(),
  })
  .meta({ id: "User" });

export const userListSchema = z.array(userSchema);

export type UserWire = z.infer<typeof userSchema>;
