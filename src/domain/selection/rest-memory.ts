import type { Question } from "./choice.ts";
import type { View } from "./standing.ts";
import type { Survey } from "./survey.ts";

/**
 * Remembers that nobody at all can serve, so that a crowd that waits does not look at 1,000 accounts for each request.
 * True until the pool learns something or the first account is back.
 */
export type RestMemory = {
  recall(view: View): Survey | null;
  note(view: View, found: Survey): void;
};

export function createRestMemory(): RestMemory {
  let known: { readonly question: Question; readonly found: Survey } | null = null;
  return {
    recall: ({ question }) => (known !== null && isStillTrue(known, question) ? known.found : null),
    note: ({ question }, found) => {
      // A tried account is left out of what was found, so that it holds for this request only.
      known = found.isAnyUsable || question.tried.size > 0 ? null : { question, found };
    },
  };
}

function isStillTrue(
  { question, found }: { readonly question: Question; readonly found: Survey },
  { pool, accounts, model, modelClass, nowMs, tried }: Question,
): boolean {
  return (
    question.pool === pool &&
    question.accounts === accounts &&
    question.model === model &&
    question.modelClass === modelClass &&
    tried.size === 0 &&
    nowMs >= question.nowMs &&
    (found.returnsAtMs === null || nowMs < found.returnsAtMs)
  );
}
