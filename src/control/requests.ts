import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import type { Account, AccountId } from "../domain/account/account.ts";
import type { RequestId } from "../domain/ledger/record.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { RequestFilter, RequestReader, RequestRow } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";

export type RequestReport = {
  readonly row: RequestRow;
  /** Null when no account was tried; the id when the account was removed since. */
  readonly accountName: string | null;
  /** The id when the key is not known. */
  readonly clientKeyName: string;
};

/** Whose requests may be seen: everybody's, or those of these client keys. */
export type KeyReach = "any" | readonly ClientKeyId[];

export type RequestService = {
  /** Newest first. `limit` is 1..1000. */
  newest(limit: number, reach: KeyReach): Promise<readonly RequestReport[]>;
  /** Somebody else's is not found: whether it exists is nobody's business. */
  get(id: RequestId, reach: KeyReach): Promise<Result<RequestReport, Refusal>>;
};

/** How a report turns ids into the names that people gave. */
export type Names = {
  readonly accounts: () => readonly Account[];
  readonly keyName: (id: ClientKeyId) => string | null;
};

export function createRequestService(reader: RequestReader, names: Names): RequestService {
  return {
    async newest(limit, reach) {
      const rows = await reader.newest(limit, filterOf(reach));
      const toReport = reporter(names);
      return rows.map(toReport);
    },
    async get(id, reach) {
      const row = await reader.get(id);
      if (row !== null && isInReach(row, reach)) return ok(reporter(names)(row));
      return err(
        refusal("request_not_found", `Cannot show request ${JSON.stringify(id)}: the ledger does not hold it`),
      );
    },
  };
}

/** Id -> name over the accounts as they are now. */
export function accountNames(accounts: readonly Account[]): (id: AccountId) => string {
  const byId = new Map(accounts.map(({ id, name }) => [id, name]));
  return (id) => byId.get(id) ?? id;
}

/** Row -> report, with the names as they are now. */
export function reporter(names: Names): (row: RequestRow) => RequestReport {
  const accountName = accountNames(names.accounts());
  return (row) => ({
    row,
    accountName: row.accountId === null ? null : accountName(row.accountId),
    clientKeyName: names.keyName(row.clientKeyId) ?? row.clientKeyId,
  });
}

export function filterOf(reach: KeyReach): Pick<RequestFilter, "clientKeyIds"> {
  return reach === "any" ? {} : { clientKeyIds: reach };
}

export function isInReach({ clientKeyId }: RequestRow, reach: KeyReach): boolean {
  return reach === "any" || reach.includes(clientKeyId);
}
