/** The parts of a Messages request that the simulator looks at. Everything is optional: it never refuses a body. */
export type MessagesBody = {
  readonly model: string;
  readonly isStream: boolean;
  readonly maxTokens: number;
  readonly toolNames: readonly string[];
  /** Every block in cache order: tools, system, messages. */
  readonly blocks: readonly PromptBlock[];
};

export type CacheTtl = "5m" | "1h";

export type PromptBlock = {
  /** Identity of the block for caching: its JSON without cache_control. */
  readonly text: string;
  /** Set when the block is a cache breakpoint. */
  readonly cacheTtl: CacheTtl | null;
};

const DEFAULT_MODEL = "claude-sonnet-5-5";
const DEFAULT_MAX_TOKENS = 1024;

/** Reads what it can; a body that is no JSON object reads as an empty one. */
export function readMessagesBody(body: Uint8Array): MessagesBody {
  const root = parseObject(body);
  const tools = asArray(root["tools"]);
  const model = root["model"];
  const maxTokens = root["max_tokens"];
  const blocks = [
    ...tools.map((tool) => promptBlock("tool", tool)),
    ...contentBlocks("system", root["system"]),
    ...asArray(root["messages"]).flatMap(messageBlocks),
  ];
  return {
    model: typeof model === "string" ? model : DEFAULT_MODEL,
    isStream: root["stream"] === true,
    maxTokens: typeof maxTokens === "number" ? maxTokens : DEFAULT_MAX_TOKENS,
    toolNames: tools.map((tool) => asObject(tool)["name"]).filter((name) => typeof name === "string"),
    blocks: withTopLevelBreakpoint(blocks, root["cache_control"]),
  };
}

/** `cache_control` beside `messages` marks the last block. */
function withTopLevelBreakpoint(blocks: PromptBlock[], control: unknown): readonly PromptBlock[] {
  const last = blocks.at(-1);
  const ttl = cacheTtl(control);
  if (last === undefined || ttl === null) return blocks;
  return [...blocks.slice(0, -1), { text: last.text, cacheTtl: last.cacheTtl ?? ttl }];
}

function messageBlocks(message: unknown): PromptBlock[] {
  const { role, content } = asObject(message);
  return contentBlocks(typeof role === "string" ? role : "", content);
}

function contentBlocks(role: string, content: unknown): PromptBlock[] {
  if (content === undefined) return [];
  return typeof content === "string"
    ? [promptBlock(role, { type: "text", text: content })]
    : asArray(content).map((block) => promptBlock(role, block));
}

function promptBlock(role: string, block: unknown): PromptBlock {
  const { cache_control: control, ...rest } = asObject(block);
  return { text: `${role}:${JSON.stringify(rest)}`, cacheTtl: cacheTtl(control) };
}

function cacheTtl(control: unknown): CacheTtl | null {
  const fields = asObject(control);
  if (fields["type"] !== "ephemeral") return null;
  return fields["ttl"] === "1h" ? "1h" : "5m";
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8")));
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
