/** What the benchmark sends: shaped like Claude Code 2.1 (docs/upstream), padded to an exact size. */
export type WireRequest = {
  readonly key: string;
  /** Exact size of the JSON body; at least 900. */
  readonly bodyBytes: number;
  readonly isStream: boolean;
};

const SESSION = "4f6c1c1e-2b0c-4c0e-9a55-7f0c2f3f9d11";
const FILLER = 'const line = lines[at] ?? "";\n\treturn line.trim().split(/\\s+/u); // keeps "quotes" and \\ escapes\n';

export function requestBytes(request: WireRequest): Uint8Array {
  const body = requestBody(request.bodyBytes, request.isStream);
  return Buffer.concat([Buffer.from(`${requestHead(request.key, body.length)}\r\n`, "latin1"), body]);
}

/** Request line and fields, each with its line end; the empty line that ends the head is not part of it. */
export function requestHead(key: string, bodyBytes: number): string {
  return [
    "POST /v1/messages?beta=true HTTP/1.1",
    "Host: 127.0.0.1",
    "Accept: application/json",
    "Accept-Encoding: gzip, deflate, br, zstd",
    `Authorization: Bearer ${key}`,
    "Content-Type: application/json",
    "User-Agent: claude-cli/2.1.197 (external, sdk-cli)",
    `X-Claude-Code-Session-Id: ${SESSION}`,
    "X-Stainless-Arch: x64",
    "X-Stainless-Lang: js",
    "X-Stainless-OS: Linux",
    "X-Stainless-Package-Version: 0.70.0",
    "X-Stainless-Retry-Count: 0",
    "X-Stainless-Runtime: node",
    "X-Stainless-Timeout: 600",
    "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "anthropic-dangerous-direct-browser-access: true",
    "anthropic-version: 2023-06-01",
    "x-app: cli",
    `Content-Length: ${bodyBytes}`,
    "",
  ].join("\r\n");
}

/** `stream` comes last, as Claude Code sends it: whoever needs it must look through the whole body. */
function requestBody(bodyBytes: number, isStream: boolean): Uint8Array {
  const bare = encodeBody("", isStream).length;
  const line = JSON.stringify(FILLER).length - 2;
  const room = bodyBytes - bare;
  if (room < 0) throw new Error(`Cannot make a body of ${bodyBytes} bytes: at least ${bare} are needed`);
  const text = FILLER.repeat(Math.floor(room / line)) + "x".repeat(room % line);
  return encodeBody(text, isStream);
}

function encodeBody(text: string, isStream: boolean): Uint8Array {
  const tool = {
    name: "Read",
    description: "Reads a file",
    input_schema: { type: "object", properties: { path: { type: "string" } } },
  };
  const userId = JSON.stringify({ device_id: "d41d8cd98f00b204", account_uuid: "", session_id: SESSION });
  const body = {
    model: "claude-sonnet-4-5-20250929",
    messages: [{ role: "user", content: [{ type: "text", text, cache_control: { type: "ephemeral" } }] }],
    system: [{ type: "text", text: "You are Claude Code.", cache_control: { type: "ephemeral" } }],
    tools: [tool],
    metadata: { user_id: userId },
    max_tokens: 32_000,
    stream: isStream,
  };
  return Buffer.from(JSON.stringify(body), "utf8");
}
