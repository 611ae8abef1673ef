import { type Account, accountId } from "../domain/account/account.ts";
import { err, ok } from "../kernel/result.ts";
import { currentActor } from "./acting.ts";
import type { AuditAction } from "./audit-codes.ts";
import type { AuditDraft, AuditedChanges } from "./audit-port.ts";
import type { AccountChanges } from "./ports.ts";

/** What the audit log says of an account that something is done to. */
export function auditOfAccount(action: AuditAction, { id, name }: Pick<Account, "id" | "name">): AuditDraft {
  return { code: `${action}I`, actor: currentActor(), object: { type: "account", id, name } };
}

/** What is kept of an account that comes or goes; never its credential. */
export function valuesOfAccount(account: Account) {
  const { provider, baseUrl, credentialKind, priority, weight, organization, workspace } = account;
  return { provider, baseUrl, credentialKind, priority, weight, organization, workspace };
}

/** Stores the changes of the account that the draft names. False when it is gone. */
export async function storeAccountChanges(
  changes: AuditedChanges,
  draft: AuditDraft,
  stored: AccountChanges,
): Promise<boolean> {
  const id = accountId(draft.object.id);
  const changed = await changes.change(draft, async ({ accounts }) =>
    (await accounts.update(id, stored)) ? ok(undefined) : err("account_not_found"),
  );
  return changed.ok;
}
