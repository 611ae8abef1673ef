import type { CleanText } from "../../audit/entry.ts";
import type { AuditAction, AuditCode } from "../../control/audit-codes.ts";
import type { AuditDraft, AuditedChanges, ChangeStores } from "../../control/audit-port.ts";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import type { EpochMs } from "../../kernel/time.ts";
import { createAccountStore } from "../account-store.ts";
import { createClientKeyStore } from "../client-key-store.ts";
import { createDataKeyStore } from "../data-key-store.ts";
import { createLoginStore } from "../login-store.ts";
import { createPeopleStores } from "../people/people-stores.ts";
import type { WriteHandle } from "../schema.ts";
import { createSettingStore } from "../setting-store.ts";
import { createPruningStore } from "./audit-pruning-store.ts";
import { appendEntry } from "./audit-rows.ts";

export type AuditNeeds = {
  readonly now: () => EpochMs;
  readonly clean: CleanText;
  /** A row was committed. */
  readonly onAppended?: () => void;
  /** Why no change may be made just now; null when it may. */
  readonly refusal?: () => string | null;
};

/** Undoes the transaction of a work that ended without an exception. */
class Undo extends Error {}

export function createAuditedChanges(db: WriteHandle, needs: AuditNeeds): AuditedChanges {
  const { now, clean, onAppended = () => undefined, refusal: refusalNow = () => null } = needs;
  const append = async (transaction: WriteHandle, draft: AuditDraft): Promise<void> => {
    try {
      await appendEntry(transaction, draft, { nowMs: now(), clean });
    } catch (cause) {
      if (cause instanceof StoreUnavailable) throw cause;
      throw new StoreUnavailable("Cannot write the audit log, so nothing was changed", { cause });
    }
  };
  const note = async (draft: AuditDraft): Promise<void> => {
    await db.transaction().execute((transaction) => append(transaction, draft));
    onAppended();
  };
  const noteFailure = (draft: AuditDraft, reason: string) =>
    note({ ...draft, code: failureCode(draft.code), reason: draft.reason ?? reason });

  return {
    note,
    async change<Value>(draft: AuditDraft, work: (stores: ChangeStores) => Promise<Value>): Promise<Value> {
      const reason = isNeverHeldUp(draft) ? null : refusalNow();
      if (reason !== null) throw new StoreUnavailable(reason, {});
      const refusals: Value[] = [];
      try {
        const done = await db.transaction().execute(async (transaction) => {
          const value = await work(storesOn(transaction));
          if (isRefusal(value)) {
            refusals.push(value);
            throw new Undo();
          }
          await append(transaction, draft);
          return value;
        });
        onAppended();
        return done;
      } catch (cause) {
        for (const refusal of refusals) {
          await noteFailure(draft, codeOf(refusal));
          return refusal;
        }
        // What failed the change mostly fails this row as well, and the caller must learn of the first.
        await noteFailure(draft, nameOf(cause)).catch(() => undefined);
        throw cause;
      }
    },
  };
}

/** What the gateway does by itself, like renewing a token; and logging in and out, or nobody could look what is wrong. */
function isNeverHeldUp({ actor, code }: AuditDraft): boolean {
  return actor.type === "system" || code.startsWith("AUT");
}

function storesOn(transaction: WriteHandle): ChangeStores {
  return {
    accounts: createAccountStore(transaction),
    clientKeys: createClientKeyStore(transaction),
    settings: createSettingStore(transaction),
    dataKeys: createDataKeyStore(transaction),
    logins: createLoginStore(transaction),
    people: createPeopleStores(transaction),
    prunings: createPruningStore(transaction),
  };
}

function failureCode(code: AuditCode): AuditCode {
  // The code's last letter is I or E, by its type.
  const action = code.slice(0, -1) as AuditAction;
  return `${action}E`;
}

/** A `Result` that is not ok. */
function isRefusal(value: unknown): value is { readonly ok: false; readonly error: unknown } {
  return typeof value === "object" && value !== null && "ok" in value && value.ok === false && "error" in value;
}

/** The stable part of a refusal: its words may name what they should not. */
function codeOf(value: unknown): string {
  if (!isRefusal(value)) return "refused";
  const { error } = value;
  if (typeof error === "string") return error;
  if (typeof error !== "object" || error === null || !("code" in error)) return "refused";
  return typeof error.code === "string" ? error.code : "refused";
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : "failed";
}
