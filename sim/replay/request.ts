import type { ModelClass } from "../../src/domain/account/account.ts";
import { modelClassOf } from "../../src/domain/account/model-class.ts";
import type { Session, Turn } from "./trace.ts";

/** One request of a session's turn. */
export type ReplayRequest = {
  readonly id: string;
  readonly session: Session;
  readonly turn: Turn;
  readonly modelClass: ModelClass;
  readonly promptTokens: number;
  /** What no cache can hold yet: new input and the previous answer. The shared prefix is not counted. */
  readonly freshTokens: number;
};

/** The requests of a session, in order; each prompt holds everything before it. */
export function requestsOf(session: Session): readonly ReplayRequest[] {
  const modelClass = modelClassOf(session.model);
  let promptTokens = session.sharedTokens;
  let answerTokens = 0;
  return session.turns.map((turn, index) => {
    const freshTokens = turn.newTokens + answerTokens;
    promptTokens += freshTokens;
    answerTokens = turn.outputTokens;
    return { id: `${session.id}#${index}`, session, turn, modelClass, promptTokens, freshTokens };
  });
}
