import type { GatewayProcess } from "./gateway-process.ts";

/** The status of one plain message through the gateway. */
export async function messageStatus(gateway: GatewayProcess, key: string): Promise<number> {
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 8, messages: [{ role: "user", content: "hi" }] }),
  });
  await answer.arrayBuffer();
  return answer.status;
}
