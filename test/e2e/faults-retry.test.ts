import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { Step } from "../../sim/step.ts";
import { adminSocket } from "./admin-socket.ts";
import { startGateway } from "./gateway-process.ts";

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
}, HOOK_MS);

afterAll(() => simulator.stop());

const OVERLOADED: Step = { kind: "status", status: 529 };
const LIMITED: Step = { kind: "status", status: 429, headers: { "retry-after": "60" } };
const BODY = JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 8, messages: [] });

type Case = {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** What each account answers, in the order of the accounts. */
  readonly accounts: readonly (readonly Step[])[];
  readonly status: number;
  /** The account of each request that upstream saw. */
  readonly sequence: readonly number[];
  /** Milliseconds between one request and the next: least and most, chance included. */
  readonly gaps?: readonly (readonly [least: number, most: number])[];
};

/** A busy machine is late, never early. */
const LATE_MS = 400;

test.each<Case>([
  {
    name: "RETRY_ATTEMPTS=1 sends one request and relays its answer",
    env: { RETRY_ATTEMPTS: "1" },
    accounts: [[OVERLOADED], []],
    status: 529,
    sequence: [0],
  },
  {
    name: "RETRY_ATTEMPTS=2 is used up by the retry in place",
    env: { RETRY_ATTEMPTS: "2" },
    accounts: [[OVERLOADED, OVERLOADED], []],
    status: 529,
    sequence: [0, 0],
  },
  {
    name: "RETRY_ATTEMPTS=5 counts every account",
    env: { RETRY_ATTEMPTS: "5" },
    accounts: Array.from({ length: 6 }, () => [OVERLOADED, OVERLOADED]),
    status: 529,
    sequence: [0, 0, 1, 2, 3],
  },
  {
    name: "RETRY_DELAY_MS is the first wait, shortened by half at most",
    env: { RETRY_DELAY_MS: "600", RETRY_BACKOFF: "10" },
    accounts: [[OVERLOADED]],
    status: 200,
    sequence: [0, 0],
    gaps: [[300, 600]],
  },
  {
    name: "RETRY_DELAY_MS=0 does not wait",
    env: { RETRY_DELAY_MS: "0" },
    accounts: [[OVERLOADED]],
    status: 200,
    sequence: [0, 0],
    gaps: [[0, 0]],
  },
  {
    name: "RETRY_BACKOFF multiplies the wait after an earlier attempt, and a failover does not wait",
    env: { RETRY_DELAY_MS: "200", RETRY_BACKOFF: "5" },
    accounts: [[LIMITED], [OVERLOADED]],
    status: 200,
    sequence: [0, 1, 1],
    gaps: [
      [0, 0],
      [500, 1_000],
    ],
  },
  {
    name: "a retry-after on a 529 is waited for before the retry in place",
    env: { RETRY_DELAY_MS: "10" },
    accounts: [[{ kind: "status", status: 529, headers: { "retry-after": "1" } }]],
    status: 200,
    sequence: [0, 0],
    gaps: [[990, 1_000]],
  },
])(
  "$name",
  async ({ env, accounts, status, sequence, gaps }) => {
    const gateway = await startGateway({ env: { LB_STRATEGY: "priority", ...env } });
    try {
      const admin = adminSocket(gateway);
      const credentials = accounts.map((_, index) => `sk-${JSON.stringify(env)}-${index}`.replaceAll(/[^\w-]/g, ""));
      for (const [index, steps] of accounts.entries()) {
        const credential = credentials[index] ?? "";
        simulator.account(credential).enqueue(...steps);
        await admin.addAccount({
          name: `account-${index}`,
          baseUrl: `${simulator.url}/${index}`,
          credential,
          credentialKind: "api_key",
          priority: index,
        });
      }
      const answer = await fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": gateway.firstKey },
        body: BODY,
      });
      await answer.text();
      const sent = simulator.requests.filter(
        ({ method, credential }) => method === "POST" && credentials.includes(credential ?? ""),
      );
      expect({
        status: answer.status,
        attempts: answer.headers.get("x-better-ccflare-attempts"),
        sequence: sent.map(({ credential }) => credentials.indexOf(credential ?? "")),
      }).toEqual({ status, attempts: String(sequence.length), sequence: [...sequence] });
      for (const [index, [least, most]] of (gaps ?? []).entries()) {
        const waitedMs = (sent[index + 1]?.arrivedAtMs ?? 0) - (sent[index]?.arrivedAtMs ?? 0);
        // Both ends of the gap are whole milliseconds.
        expect(waitedMs).toBeGreaterThanOrEqual(least - 1);
        expect(waitedMs).toBeLessThanOrEqual(most + LATE_MS);
      }
    } finally {
      await gateway.stop();
    }
  },
  30_000,
);
