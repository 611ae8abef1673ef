import { expect, test } from "bun:test";
import { requestClassOf } from "./request-class.ts";

test.each([
  { headers: {}, expected: "main" },
  { headers: { "x-claude-code-request-class": "main" }, expected: "main" },
  { headers: { "x-claude-code-request-class": "compaction" }, expected: "main" },
  { headers: { "x-claude-code-request-class": "subagent" }, expected: "subagent" },
  { headers: { "x-claude-code-request-class": "workflow" }, expected: "subagent" },
  { headers: { "x-claude-code-request-class": "auxiliary" }, expected: "auxiliary" },
  { headers: { "x-claude-code-request-class": "new-in-2027" }, expected: "main" },
  { headers: { "x-claude-code-agent-id": "a1" }, expected: "subagent" },
  { headers: { "x-claude-code-parent-agent-id": "a0" }, expected: "subagent" },
  { headers: { "x-claude-code-request-class": "main", "x-claude-code-agent-id": "a1" }, expected: "main" },
])("$headers is $expected", ({ headers, expected }) => {
  const known = new Map<string, string>(Object.entries(headers));
  expect(requestClassOf({ header: (name) => known.get(name) ?? null })).toBe(
    expected as ReturnType<typeof requestClassOf>,
  );
});
