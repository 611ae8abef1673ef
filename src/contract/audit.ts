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

const sinkSchema = z
  .object({
    name: z.enum(["file", "syslog", "webhook"]),
    target: z.string(),
    state: z
      .enum(["ok", "behind", "blocked"])
      .meta({ description: "blocked: for more than 24 h, or with more than 1 GiB waiting" }),
    behindSince: z.string().nullable().meta({ description: "RFC 3339, of the first entry that it does not have" }),
    takenSeq: z.number().int(),
    pendingEntries: z.number().int(),
    problem: z.string().nullable().meta({ description: "Why the last try failed" }),
  })
  .meta({ id: "AuditSink" });

export const auditSinkListSchema = z.array(sinkSchema);

export type AuditSinkWire = z.infer<typeof sinkSchema>;

export const pruneOrderSchema = z
  .strictObject({
    olderThanDays: z.number().int().min(1).max(99_999).nullable().default(null),
    isDryRun: z.boolean().default(false),
  })
  .meta({ id: "AuditPruneOrder" });

export const auditPruneSchema = z
  .object({
    prunedTo: z.number().int().nullable().meta({ description: "The last entry removed; null when none is old enough" }),
    entries: z.number().int(),
    olderThan: z.string(),
    isDryRun: z.boolean(),
    heldBack: z.string().nullable().meta({ description: "Why less was removed than is old enough" }),
  })
  .meta({ id: "AuditPruned" });

export type AuditPruneWire = z.infer<typeof auditPruneSchema>;
