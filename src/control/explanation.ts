import type { Decision } from "../domain/decision/decision.ts";
import { decodeDecision } from "../domain/decision/decode-decision.ts";
import { explainDecision } from "../domain/decision/explain-decision.ts";
import type { RequestId } from "../domain/ledger/record.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { RequestReader, RequestRow } from "./ports.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { accountNames, isInReach, type KeyReach, type Names, type RequestReport, reporter } from "./requests.ts";

/** Why a request went where it went. */
export type Explanation = {
  readonly request: RequestReport;
  /** Null when none was kept, or this release cannot read it; then the only sentence says which. */
  readonly decision: Decision | null;
  /** For a person, at least one. Accounts that were removed since go by their id. */
  readonly sentences: readonly string[];
  readonly accountName: (id: NonNullable<RequestRow["accountId"]>) => string;
};

export type ExplanationService = {
  /** Somebody else's is not found. */
  explain(id: RequestId, reach: KeyReach): Promise<Result<Explanation, Refusal>>;
};

export function createExplanationService(reader: RequestReader, names: Names): ExplanationService {
  return {
    async explain(id, reach) {
      const found = await reader.explained(id);
      if (found === null || !isInReach(found.row, reach)) return err(notHeld(id));
      const { row, decision: text } = found;
      const accountName = accountNames(names.accounts());
      const decision = text === null ? null : decodeDecision(text);
      const sentences = decision === null ? [noDecision(row, text)] : explainDecision(decision, accountName);
      return ok({ request: reporter(names)(row), decision, sentences, accountName });
    },
  };
}

function notHeld(id: RequestId): Refusal {
  const quoted = JSON.stringify(id.slice(0, 80));
  return refusal("request_not_found", `Cannot explain request ${quoted}: the ledger does not hold it`);
}

function noDecision({ outcome }: RequestRow, text: string | null): string {
  if (text !== null) return "The ledger keeps a decision for this request, but this release cannot read it.";
  if (outcome === "in_flight") return "The request is still under way; its decision is written when it ends.";
  if (outcome === "interrupted") return "The gateway ended before this request did, so its decision was never written.";
  return "The ledger keeps no decision for this request: the release that served it did not record any.";
}
