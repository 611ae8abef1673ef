const POLL_MS = 50;
const ANSWER_WAIT_MS = 1_000;

/** A port that was free a moment ago. Somebody else may take it before it is used: the caller then fails to start. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

/** @throws Error when there is no answer with a status below 500 in time */
export async function waitForAnswer(url: string, waitMs: number): Promise<void> {
  const endsAtMs = performance.now() + waitMs;
  let fact = "nobody listens";
  while (performance.now() < endsAtMs) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WAIT_MS) });
      await answer.arrayBuffer();
      if (answer.status < 500) return;
      fact = `status ${answer.status}`;
    } catch (cause) {
      fact = String(cause);
    }
    await Bun.sleep(POLL_MS);
  }
  throw new Error(`Cannot reach ${url} within ${waitMs} ms: ${fact}`);
}
