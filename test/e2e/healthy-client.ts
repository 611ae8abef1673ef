import { messageBody } from "./message-client.ts";

export type HealthyFigures = {
  readonly requests: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly worstMs: number;
};

export type HealthyOptions = {
  readonly url: string;
  readonly key: string;
  readonly requests: number;
  readonly pauseMs?: number;
};

/**
 * One client that sends one request at a time beside whatever else goes on. It counts tokens, which takes the whole way
 * through the gateway to the account, while the simulator paces its messages.
 */
export async function runHealthyClient({ url, key, requests, pauseMs = 5 }: HealthyOptions): Promise<HealthyFigures> {
  const latenciesMs: number[] = [];
  let failures = 0;
  for (let at = 0; at < requests; at += 1) {
    const startMs = performance.now();
    const isOk = await countTokens(url, key);
    latenciesMs.push(performance.now() - startMs);
    if (!isOk) failures += 1;
    await Bun.sleep(pauseMs);
  }
  latenciesMs.sort((left, right) => left - right);
  const at = (ratio: number) => Number((latenciesMs[Math.floor((latenciesMs.length - 1) * ratio)] ?? 0).toFixed(1));
  return { requests, failures, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1) };
}

async function countTokens(url: string, key: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", "anthropic-version": "2023-06-01" },
      body: messageBody({ model: "claude-sonnet-5-5", isStream: false }),
    });
    const { input_tokens } = Object(await answer.json());
    return answer.status === 200 && typeof input_tokens === "number";
  } catch {
    return false;
  }
}
