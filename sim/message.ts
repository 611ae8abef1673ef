import { assertNever } from "../src/kernel/result.ts";
import type { InputTokens } from "./prompt-cache.ts";
import type { MessagesBody } from "./request-body.ts";
import type { ContentScript, JsonObject, UsageScript } from "./step.ts";

/** One server-sent event before it is printed. */
export type StreamEvent = { readonly event: string; readonly data: object };

export type MessageFacts = {
  /** `msg_...` */
  readonly id: string;
  readonly body: MessagesBody;
  readonly input: InputTokens;
  /** Goes into thinking signatures, which are bound to it (protocol.md, P22). */
  readonly organization: string;
};

export type AnswerMessage = {
  /** The JSON answer. */
  readonly json: object;
  /** The same answer as a stream, in the order of protocol.md E. */
  readonly events: readonly StreamEvent[];
  readonly outputTokens: number;
};

type Block =
  | { readonly type: "thinking"; readonly thinking: string; readonly signature: string }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: JsonObject };

const DEFAULT_TEXT = "Hello! This answer comes from the simulator.";
const DEFAULT_TEXT_DELTAS = 4;
const TOOL_JSON_PIECES = 3;
const CHARACTERS_PER_TOKEN = 4;
const PING: StreamEvent = { event: "ping", data: { type: "ping" } };

export function buildMessage(script: ContentScript, facts: MessageFacts): AnswerMessage {
  const blocks = buildBlocks(script, facts);
  const usesTool = blocks.some((block) => block.type === "tool_use");
  const stopReason = script.stopReason ?? (usesTool ? "tool_use" : "end_turn");
  const start = startUsage(script.usage, facts.input);
  const outputTokens = script.finalUsage?.output_tokens ?? script.usage?.output_tokens ?? countTokens(blocks);
  const end = { ...start, ...script.finalUsage, output_tokens: outputTokens };
  const message = {
    id: facts.id,
    type: "message",
    role: "assistant",
    model: script.model ?? facts.body.model,
  };
  return {
    json: { ...message, content: blocks, stop_reason: stopReason, stop_sequence: null, usage: end },
    events: [
      {
        event: "message_start",
        data: {
          type: "message_start",
          message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage: start },
        },
      },
      ...pings(script),
      ...blocks.flatMap((block, index) => blockEvents(block, index, script)),
      {
        event: "message_delta",
        data: {
          type: "message_delta",
          delta: { stop_reason: stopReason, stop_sequence: null },
          usage: deltaUsage(end),
        },
      },
      { event: "message_stop", data: { type: "message_stop" } },
    ],
    outputTokens,
  };
}

function startUsage(script: UsageScript | undefined, input: InputTokens) {
  return {
    input_tokens: input.inputTokens,
    cache_creation_input_tokens: input.cacheWrite5mTokens + input.cacheWrite1hTokens,
    cache_read_input_tokens: input.cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: input.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: input.cacheWrite1hTokens,
    },
    service_tier: "standard",
    ...script,
    // Upstream counts one token before it has said anything.
    output_tokens: 1,
  };
}

/** message_delta repeats the cumulative figures, but neither the tier nor the division of cache writes. */
function deltaUsage(end: ReturnType<typeof startUsage>): object {
  const { cache_creation: _division, service_tier: _tier, ...figures } = end;
  return figures;
}

function buildBlocks(script: ContentScript, facts: MessageFacts): readonly Block[] {
  const blocks: Block[] = [];
  if (script.thinking !== undefined) {
    const signature = Buffer.from(`sim:${facts.organization}:${facts.id}`).toString("base64");
    blocks.push({ type: "thinking", thinking: script.thinking, signature });
  }
  blocks.push({ type: "text", text: script.text ?? DEFAULT_TEXT });
  const call = toolCall(script.toolUse, facts.body.toolNames);
  if (call !== null) blocks.push({ type: "tool_use", id: `toolu_${facts.id.slice(4)}`, ...call });
  return blocks;
}

function toolCall(
  asked: ContentScript["toolUse"],
  toolNames: readonly string[],
): { readonly name: string; readonly input: JsonObject } | null {
  if (asked === undefined) return null;
  if (asked !== true) return asked;
  const name = toolNames[0];
  return name === undefined ? null : { name, input: { query: "weather in Zürich", limit: 3 } };
}

function blockEvents(block: Block, index: number, script: ContentScript): readonly StreamEvent[] {
  const deltas = blockDeltas(block, script).map((delta) => ({
    event: "content_block_delta",
    data: { type: "content_block_delta", index, delta },
  }));
  const events: StreamEvent[] = [
    { event: "content_block_start", data: { type: "content_block_start", index, content_block: emptied(block) } },
    ...deltas,
    { event: "content_block_stop", data: { type: "content_block_stop", index } },
  ];
  if (index > 0 && script.pings !== 0) events.unshift(PING);
  if (index === 0 && script.unknownEvent === true) {
    events.push({ event: "future_event", data: { type: "future_event", detail: { nested: true } } });
  }
  return events;
}

function emptied(block: Block): object {
  switch (block.type) {
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    case "text":
      return { type: "text", text: "" };
    case "tool_use":
      return { ...block, input: {} };
    default:
      return assertNever(block);
  }
}

function blockDeltas(block: Block, script: ContentScript): readonly object[] {
  const pieces = script.textDeltas ?? DEFAULT_TEXT_DELTAS;
  switch (block.type) {
    case "thinking":
      return [
        ...split(block.thinking, pieces).map((thinking) => ({ type: "thinking_delta", thinking })),
        { type: "signature_delta", signature: block.signature },
      ];
    case "text":
      return split(block.text, pieces).map((text) => ({ type: "text_delta", text }));
    case "tool_use":
      // The first piece is empty, as upstream's is.
      return ["", ...split(JSON.stringify(block.input), TOOL_JSON_PIECES)].map((partial) => ({
        type: "input_json_delta",
        partial_json: partial,
      }));
    default:
      return assertNever(block);
  }
}

/** Cuts by code points, so that no piece holds half a character. */
function split(text: string, pieces: number): readonly string[] {
  const characters = [...text];
  const size = Math.max(1, Math.ceil(characters.length / Math.max(1, pieces)));
  const parts: string[] = [];
  for (let start = 0; start < characters.length; start += size) {
    parts.push(characters.slice(start, start + size).join(""));
  }
  return parts;
}

function pings(script: ContentScript): readonly StreamEvent[] {
  return Array.from({ length: script.pings ?? 1 }, () => PING);
}

function countTokens(blocks: readonly Block[]): number {
  const characters = blocks.reduce((sum, block) => sum + JSON.stringify(block).length, 0);
  return Math.max(1, Math.ceil(characters / CHARACTERS_PER_TOKEN));
}
