import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Limits } from "../../sim/rate-limit.ts";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import type { AccountLine, AdminSocket } from "./admin-socket.ts";
import { adminSocket } from "./admin-socket.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

/** A pool of simulated accounts behind the product, and a client that speaks as Claude Code does. */
export interface PoolWorld {
  readonly simulator: Simulator;
  gateway: GatewayProcess;
  admin: AdminSocket;
  readonly accounts: Readonly<Record<string, SimulatedAccount>>;
  /** How many requests for messages each account has had. */
  sent(): Readonly<Record<string, number>>;
  ask(question: Question): Promise<Reply>;
  account(name: string): Promise<AccountLine>;
  /** Ends the process by `signal` and starts it again over the same data. */
  restart(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  close(): Promise<void>;
}

export type PoolAccount = {
  readonly name: string;
  readonly organization?: string;
  readonly priority?: number;
  readonly limits?: Limits;
  /** The organization that upstream names; the operator did not declare it. Default: as declared, else its own. */
  readonly hiddenOrganization?: string;
};

export type Question = {
  readonly session?: string;
  readonly model?: string;
  readonly key?: string;
  /** `x-claude-code-request-class`. */
  readonly class?: "main" | "subagent" | "auxiliary";
  /** Bytes of a cached system prompt: four make a token. */
  readonly prefixBytes?: number;
  readonly isStream?: boolean;
  readonly signal?: AbortSignal;
};

export type Reply = {
  readonly status: number;
  readonly text: string;
  readonly requestId: string;
  readonly attempts: number;
  readonly retryAfter: string | null;
  readonly startedAtMs: number;
  readonly ms: number;
};

export type PoolWorldOptions = {
  readonly accounts: readonly PoolAccount[];
  readonly env?: Readonly<Record<string, string>>;
};

export async function startPoolWorld({ accounts, env = {} }: PoolWorldOptions): Promise<PoolWorld> {
  const simulator = await startSimulator();
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-pool-"));
  const simulated: Record<string, SimulatedAccount> = {};
  const gateway = await startGateway({ dataDir, env });
  const world: PoolWorld = {
    simulator,
    gateway,
    admin: adminSocket(gateway),
    accounts: simulated,
    sent: () =>
      Object.fromEntries(
        Object.entries(simulated).map(([name, { requests }]) => [
          name,
          requests.filter(({ method }) => method === "POST").length,
        ]),
      ),
    ask: (question) => ask(world, question),
    async account(name) {
      const line = (await world.admin.accounts()).find((each) => each.name === name);
      if (line === undefined) throw new Error(`Cannot find account ${name}`);
      return line;
    },
    async restart(signal) {
      world.gateway.signal(signal);
      await world.gateway.exited;
      world.gateway = await startGateway({ dataDir, env: { ...env, PORT: new URL(world.gateway.url).port } });
      world.admin = adminSocket(world.gateway);
    },
    async close() {
      await world.gateway.stop();
      await simulator.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  for (const { name, organization, hiddenOrganization, priority = 100, limits } of accounts) {
    const credential = `sk-sim-${name}`;
    const owner = hiddenOrganization ?? organization;
    simulated[name] = simulator.account(credential, {
      ...(owner === undefined ? {} : { organization: owner }),
      ...(limits === undefined ? {} : { limits }),
    });
    await world.admin.addAccount({
      name,
      credential,
      credentialKind: "api_key",
      // A path of its own: faults of one account open no circuit for another.
      baseUrl: `${simulator.url}/${name}`,
      priority,
      ...(organization === undefined ? {} : { organization }),
    });
  }
  return world;
}

async function ask(world: PoolWorld, question: Question): Promise<Reply> {
  const { session, model = "claude-sonnet-5-5", prefixBytes = 0, isStream = false } = question;
  const startedAtMs = Date.now();
  const system = [
    { type: "text", text: `${session ?? "nobody"} ${"x".repeat(prefixBytes)}`, cache_control: { type: "ephemeral" } },
  ];
  const answer = await fetch(`${world.gateway.url}/v1/messages?beta=true`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${question.key ?? firstKey(world)}`,
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      ...(session === undefined ? {} : { "x-claude-code-session-id": session }),
      ...(question.class === undefined ? {} : { "x-claude-code-request-class": question.class }),
    },
    body: JSON.stringify({
      model,
      max_tokens: 64,
      system,
      messages: [{ role: "user", content: "hi" }],
      stream: isStream,
    }),
    ...(question.signal === undefined ? {} : { signal: question.signal }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    requestId: answer.headers.get("x-better-ccflare-request-id") ?? "",
    attempts: Number(answer.headers.get("x-better-ccflare-attempts")),
    retryAfter: answer.headers.get("retry-after"),
    startedAtMs,
    ms: Date.now() - startedAtMs,
  };
}

const keys = new WeakMap<PoolWorld, string>();

/** The first start alone prints it. */
function firstKey(world: PoolWorld): string {
  const key = keys.get(world) ?? world.gateway.firstKey;
  keys.set(world, key);
  return key;
}
