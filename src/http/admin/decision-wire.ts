import type {
  DecisionMoveWire,
  DecisionSkipWire,
  DecisionStepWire,
  ExplanationWire,
} from "../../contract/explanation.ts";
import type { Explanation } from "../../control/explanation.ts";
import type { DecisionStep } from "../../domain/decision/decision.ts";
import type { Move } from "../../domain/selection/choice.ts";
import type { Skip } from "../../domain/selection/plan.ts";
import { toRfc3339 } from "../../kernel/time.ts";
import { instantOrNull, requestToWire } from "./wire.ts";

type NameOf = Explanation["accountName"];

export function explanationToWire({ request, decision, sentences, accountName }: Explanation): ExplanationWire {
  return {
    request: requestToWire(request),
    sentences: [...sentences],
    decision:
      decision === null
        ? null
        : {
            strategy: decision.strategy,
            conversation: decision.conversation,
            steps: decision.steps.map((step) => stepToWire(step, accountName)),
          },
  };
}

function stepToWire(step: DecisionStep, nameOf: NameOf): DecisionStepWire {
  switch (step.kind) {
    case "tried":
      return {
        kind: "tried",
        account: nameOf(step.accountId),
        why: step.why,
        move: moveToWire(step.move, nameOf),
        reason: step.reason,
        status: step.status,
        cause: step.cause,
        skipped: step.skips.map((skip) => skipToWire(skip, nameOf)),
        skippedCount: step.skipCount,
      };
    case "waited":
      return {
        kind: "waited",
        why: step.why,
        until: toRfc3339(step.untilMs),
        ms: step.ms,
        move: moveToWire(step.move, nameOf),
      };
    case "refused":
      return {
        kind: "refused",
        code: step.code,
        until: instantOrNull(step.untilMs),
        skipped: step.skips.map((skip) => skipToWire(skip, nameOf)),
        skippedCount: step.skipCount,
      };
  }
}

function moveToWire(move: Move | null, nameOf: NameOf): DecisionMoveWire | null {
  if (move === null) return null;
  const { from, kind, priceMicroUsd, homeReturnsAtMs, setsHome } = move;
  return { from: nameOf(from), kind, priceMicroUsd, homeReturnsAt: instantOrNull(homeReturnsAtMs), setsHome };
}

function skipToWire({ accountId, reason, untilMs, cause }: Skip, nameOf: NameOf): DecisionSkipWire {
  return { account: nameOf(accountId), reason, until: instantOrNull(untilMs), cause };
}
