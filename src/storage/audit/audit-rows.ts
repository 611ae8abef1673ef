import { chainHash, EMPTY_HEAD } from "../../audit/chain.ts";
import { type CleanText, entryText } from "../../audit/entry.ts";
import type { AuditDraft } from "../../control/audit-port.ts";
import type { EpochMs } from "../../kernel/time.ts";
import type { WriteHandle } from "../schema.ts";

export type AppendContext = { readonly nowMs: EpochMs; readonly clean: CleanText };

/** Adds one entry to the chain. Only inside a transaction that writes: the number and the hash follow the last row. */
export async function appendEntry(db: WriteHandle, draft: AuditDraft, context: AppendContext): Promise<number> {
  const last = await db
    .selectFrom("audit_entries")
    .select(["seq", "hash", "at_ms"])
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  const seq = (last?.seq ?? 0) + 1;
  const place = { seq, atMs: context.nowMs, previousAtMs: last?.at_ms ?? null };
  const entry = entryText(draft, place, context.clean);
  const hash = chainHash(entry, last?.hash ?? EMPTY_HEAD);
  await db.insertInto("audit_entries").values({ seq, at_ms: context.nowMs, entry, hash }).execute();
  return seq;
}
