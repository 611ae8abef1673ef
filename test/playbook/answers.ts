import type { Decision, DecisionStep } from "../../src/domain/decision/decision.ts";
import { decodeDecision } from "../../src/domain/decision/decode-decision.ts";
import type { HeaderField } from "../../src/gateway/ports.ts";
import type { CallScript } from "./scripted-call.ts";
import type { Reply } from "./scripted-upstream.ts";
import type { Stage } from "./stage.ts";

const JSON_HEADER: HeaderField = ["content-type", "application/json"];

/** A whole answer that wrote so many tokens to the prompt cache. */
export function cached(tokens: number, headers: readonly HeaderField[] = []): Reply {
  const usage = { input_tokens: 3, cache_creation_input_tokens: tokens, output_tokens: 4 };
  return { headers: [JSON_HEADER, ...headers], chunks: [JSON.stringify({ type: "message", usage })] };
}

export const OK: Reply = cached(0);

export function failing(status: number, headers: readonly HeaderField[] = []): Reply {
  const error = { type: "error", error: { type: "api_error", message: `scripted ${status}` } };
  return { status, headers: [JSON_HEADER, ...headers], chunks: [JSON.stringify(error)] };
}

export function limitedFor(seconds: number): Reply {
  return failing(429, [["retry-after", String(seconds)]]);
}

/** A turn of the conversation of Claude Code that has this session id. */
export function turnOf(session: string, more: readonly HeaderField[] = []): CallScript {
  return { headers: [["x-claude-code-session-id", session], ...more] };
}

/** The accounts that were asked, in order. */
export function asked(stage: Stage): string[] {
  return stage.upstream.sendings.map(({ request }) => request.credential?.label ?? "");
}

export function decisionOf(stage: Stage, row: number): Decision {
  const decision = decodeDecision(stage.settled[row]?.decision ?? "");
  if (decision === null) throw new Error(`Cannot test: row ${row} has no decision`);
  return decision;
}

/** The steps of a decision in words, e.g. "tried id-a home served", "waited home_returns", "refused GW_ALL_LIMITED". */
export function stepsOf(stage: Stage, row: number): string[] {
  return decisionOf(stage, row).steps.map(inWords);
}

function inWords(step: DecisionStep): string {
  switch (step.kind) {
    case "tried":
      return `tried ${step.accountId} ${step.why} ${step.reason}`;
    case "waited":
      return `waited ${step.why}`;
    default:
      return `refused ${step.code}`;
  }
}
