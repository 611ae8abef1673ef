/** Who is served first while requests wait: a person's turn before a subagent's before what runs beside. */
export const REQUEST_CLASSES = ["main", "subagent", "auxiliary"] as const;
export type RequestClass = (typeof REQUEST_CLASSES)[number];

type Hints = { header(name: string): string | null };

/** The hint headers are opt-in (protocol.md P10); the agent ids are always sent by Claude Code (P9). */
export function requestClassOf(call: Hints): RequestClass {
  switch (call.header("x-claude-code-request-class")) {
    case "main":
    case "compaction":
      return "main";
    case "subagent":
    case "workflow":
      return "subagent";
    case "auxiliary":
      return "auxiliary";
    default: {
      const isOfAgent =
        call.header("x-claude-code-agent-id") !== null || call.header("x-claude-code-parent-agent-id") !== null;
      return isOfAgent ? "subagent" : "main";
    }
  }
}
