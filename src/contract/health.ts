import { z } from "zod";

export const healthSchema = z.object({ status: z.literal("ok"), version: z.string() }).meta({ id: "Health" });

const checkSchema = z
  .object({
    name: z.string(),
    isOk: z.boolean(),
    detail: z.string(),
    fix: z.string().nullable().meta({ description: "What to do, when the check failed" }),
  })
  .meta({ id: "Check" });

export const doctorSchema = z
  .object({
    version: z.string(),
    dataPlaneUrl: z.string().meta({ description: "What clients use as ANTHROPIC_BASE_URL" }),
    checks: z.array(checkSchema),
  })
  .meta({ id: "Doctor" });

export type CheckWire = z.infer<typeof checkSchema>;
export type DoctorWire = z.infer<typeof doctorSchema>;
