/** What a client saw of one request. */
export type Seen =
  /** The whole message: JSON, or a stream up to message_stop. */
  | { readonly kind: "whole"; readonly requestId: string; readonly outputTokens: number }
  /** Status 200 and an error event instead of the end. */
  | { readonly kind: "cut"; readonly requestId: string }
  | { readonly kind: "refused"; readonly requestId: string; readonly status: number; readonly body: string }
  /** The test itself gave up half-way. */
  | { readonly kind: "left" }
  /** The connection was refused, reset or closed too early. */
  | { readonly kind: "broken"; readonly detail: string };

export type Message = {
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly isStream: boolean;
  /** Bytes of filling in the prompt. Default 0. */
  readonly paddingBytes?: number;
  /** Leave after so many chunks of the answer. */
  readonly leaveAfterChunks?: number;
};

/** Sends one message and reads the answer to its end. Never throws. */
export async function sendMessage(message: Message): Promise<Seen> {
  const leaving = new AbortController();
  try {
    const answer = await fetch(`${message.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": message.key, "content-type": "application/json", "anthropic-version": "2023-06-01" },
      body: messageBody(message),
      signal: leaving.signal,
    });
    const text = await readText(answer, message.leaveAfterChunks ?? Number.POSITIVE_INFINITY, leaving);
    const requestId = answer.headers.get("x-better-ccflare-request-id") ?? "";
    if (answer.status !== 200) return { kind: "refused", requestId, status: answer.status, body: text };
    if (message.isStream && text.includes("\nevent: error")) return { kind: "cut", requestId };
    const isWhole = message.isStream ? text.includes("event: message_stop") : text.endsWith("}");
    if (!isWhole) return { kind: "broken", detail: "the answer ended early" };
    return { kind: "whole", requestId, outputTokens: lastOutputTokens(text) };
  } catch (cause) {
    if (leaving.signal.aborted) return { kind: "left" };
    return { kind: "broken", detail: cause instanceof Error ? cause.message : String(cause) };
  }
}

export function messageBody({ model, isStream, paddingBytes = 0 }: Omit<Message, "url" | "key">): string {
  const content = paddingBytes === 0 ? "hi" : "x".repeat(paddingBytes);
  return JSON.stringify({ model, max_tokens: 64, stream: isStream, messages: [{ role: "user", content }] });
}

async function readText(answer: Response, leaveAfterChunks: number, leaving: AbortController): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let chunks = 0;
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    chunks += 1;
    if (chunks >= leaveAfterChunks) leaving.abort();
  }
  return text;
}

/** A stream states its usage twice; the last one counts. */
function lastOutputTokens(text: string): number {
  return Number(Array.from(text.matchAll(/"output_tokens": ?(\d+)/g)).at(-1)?.[1] ?? Number.NaN);
}
