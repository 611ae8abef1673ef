import type { SeededRandom } from "./seeded-random.ts";

/** Text that breaks whoever decodes by chunk, trims, normalises or escapes it again. */
const TEXTS: readonly [string, ...string[]] = [
  "plain words",
  "Größe, naïveté, œuvre, ħ, ß",
  "Привет, мир",
  "γειά σου Κόσμε",
  "مرحبا بالعالم ‏",
  "שלום עולם",
  "नमस्ते दुनिया",
  "สวัสดีชาวโลก",
  "你好，世界。漢字かな交じり文 ㍿",
  "안녕하세요 세계",
  "👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇭 👍🏽",
  "e\u0301 versus \u00e9, \ufeffBOM inside, \u2028 and \u2029, \u0000 and \u001f, \u007f",
  "𝒳 𐍈 🜁 \u{10FFFF}",
  'quotes " and \\ and / and </script> and \t tabs',
  "data: not a field\n\nevent: not an event\n\n",
  "\ud800 alone, \udfff alone",
  " leading and trailing ",
  "",
];

type Line = string | Buffer;

/** One whole message as an event stream: each part is an event, a comment or a field on its own. */
export type GeneratedStream = { readonly parts: readonly Buffer[]; readonly outputTokens: number };

export function generateStream(random: SeededRandom): GeneratedStream {
  const outputTokens = random.between(1, 100_000);
  const style = random.pick(["\n", "\r\n", "\r", "mixed"]);
  const parts: Buffer[] = [];
  const say = (lines: readonly Line[]) => {
    const end = style === "mixed" ? random.pick(["\n", "\r\n", "\r"]) : style;
    parts.push(Buffer.concat([...lines, ""].map((line) => Buffer.concat([bytesOf(line), Buffer.from(end)]))));
  };
  const emit = (type: string, data: object) => say(eventLines(random, type, { type, ...data }));
  const noise = () => {
    if (random.chance(0.15)) say(noiseLines(random));
  };
  if (random.chance(0.05)) parts.push(Buffer.from("\ufeff"));
  noise();
  emit("message_start", {
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-5-5",
      content: [],
      stop_reason: null,
      usage: { input_tokens: random.between(1, 9_999), output_tokens: 1 },
    },
  });
  const blocks = random.between(1, 4);
  for (let index = 0; index < blocks; index += 1) {
    const kind = random.pick(["text", "thinking", "tool"]);
    emit("content_block_start", { index, content_block: emptyBlock(kind) });
    for (let count = random.between(0, 8); count > 0; count -= 1) {
      noise();
      emit("content_block_delta", { index, delta: delta(random, kind) });
    }
    if (kind === "thinking") {
      emit("content_block_delta", { index, delta: { type: "signature_delta", signature: "EqQBCgIYAhIkMTIzNA==" } });
    }
    emit("content_block_stop", { index });
  }
  emit("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: outputTokens } });
  noise();
  emit("message_stop", {});
  noise();
  return { parts, outputTokens };
}

function emptyBlock(kind: string): object {
  if (kind === "tool") return { type: "tool_use", id: "toolu_1", name: "search", input: {} };
  return kind === "text" ? { type: "text", text: "" } : { type: "thinking", thinking: "", signature: "" };
}

function delta(random: SeededRandom, kind: string): object {
  const text = random.pick(TEXTS);
  if (kind === "text") return { type: "text_delta", text };
  if (kind === "thinking") return { type: "thinking_delta", thinking: text };
  // Half an object, as upstream sends it: numbers, escapes and keys must not be touched either.
  return { type: "input_json_delta", partial_json: `{"n":12345678901234567890,"f":1.0,"t":${JSON.stringify(text)}` };
}

function eventLines(random: SeededRandom, type: string, data: object): readonly string[] {
  const space = random.chance(0.7) ? " " : "";
  const isPretty = random.chance(0.1);
  const json = isPretty ? JSON.stringify(data, null, 1) : JSON.stringify(data);
  const dataLines = json.split("\n").map((line) => `data:${space}${line}`);
  const named = random.chance(0.9) ? [`event:${space}${type}`] : [];
  // The order of fields is free.
  return random.chance(0.1) ? [...dataLines, ...named] : [...named, ...dataLines];
}

function noiseLines(random: SeededRandom): readonly Line[] {
  return random.pick<() => readonly Line[]>([
    () => ["event: ping", 'data: {"type": "ping"}'],
    () => [`: ${random.pick(TEXTS).replaceAll(/[\r\n]/g, " ")}`],
    () => [":"],
    () => [Buffer.from([0x3a, 0xff, 0xfe, 0x80, 0xc3])],
    () => ["event: future_event", 'data: {"type":"future_event","detail":{"nested":[1.0,1e400]}}'],
    () => ["id: 7", "retry: 3000", "event: other", "data: not JSON at all"],
    () => ["unknown-field: x", "no colon in this line"],
    () => ["", ""],
  ])();
}

function bytesOf(line: Line): Buffer {
  return typeof line === "string" ? Buffer.from(line, "utf8") : line;
}
