import { z } from "zod";

export const auditListQuerySchema = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(50) });

export const auditEntrySchema = z.object({
  seq: z.number().int(),
  /** The entry as it is hashed: canonical JSON. */
  entry: z.string(),
});

export const auditListSchema = z.array(auditEntrySchema);

export type AuditEntryWire = z.infer<typeof auditEntrySchema>;

/** A page starts after the line that the page before ended with. */
export const auditExportQuerySchema = z.object({
  after: z.coerce.number().int().min(0).default(0),
  checkpoint: z.enum(["yes", "no"]).default("no"),
});

export const auditExportSchema = z.object({
  /** Lines of an export, without their line breaks. */
  lines: z.array(z.string()),
  /** Null after the last page. */
  next: z.object({ after: z.number().int(), checkpoint: z.enum(["yes", "no"]) }).nullable(),
});

export type AuditExportWire = z.infer<typeof auditExportSchema>;
