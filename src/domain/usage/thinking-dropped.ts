import { memberOf } from "../request/json-member.ts";

/**
 * How many thinking blocks of the request upstream left out, from `input_transformations` (protocol P22). Null when it
 * does not report them: it does only when the client asked for it with a beta. Other kinds of entries say nothing.
 * @see https://platform.claude.com/docs/en/build-with-claude/preserved-thinking
 */
export function thinkingDroppedOf(inputTransformations: unknown): number | null {
  if (!Array.isArray(inputTransformations)) {
    return null;
  }
  return inputTransformations.filter((entry) => memberOf(entry, "type") === "thinking_dropped").length;
}
