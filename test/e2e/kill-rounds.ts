import { expect } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SimulatedAccount, type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { countBy, integrityOf, type LedgerRow, modelOf, waitForRows } from "./ledger-rows.ts";
import { type Seen, sendMessage } from "./message-client.ts";
import { createRandom, type SeededRandom } from "./seeded-random.ts";

export type KillOptions = { readonly rounds: number; readonly workers: number; readonly seed: number };

export type KillFigures = {
  readonly kills: number;
  readonly clientRequests: number;
  readonly upstreamRequests: number;
  readonly rows: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the start of the process to the last row of the earlier ones, the worst of all restarts. */
  readonly worstRecoveryMs: number;
};

const CREDENTIAL = "sk-sim-crash";
const LONGEST_LIFE_MS = 1_200;
/** Every so many rounds the process dies before anybody looked at what it recovered. */
const UNCHECKED_EVERY = 4;

/** How a settled request may look in the ledger, by what its client saw. A kill can fall between any two of them. */
const OUTCOMES: Readonly<Record<Seen["kind"], readonly string[]>> = {
  whole: ["completed", "interrupted"],
  cut: ["truncated", "interrupted"],
  refused: ["upstream_error", "refused", "interrupted"],
  left: ["client_gone", "completed", "truncated", "interrupted"],
  broken: ["completed", "truncated", "interrupted", "client_gone", "upstream_error", "refused"],
};

type World = {
  readonly simulator: Simulator;
  readonly account: SimulatedAccount;
  readonly dataDir: string;
  readonly random: SeededRandom;
  key: string;
  sent: number;
  /** By model, which is different in every request. */
  readonly seen: Map<string, Seen>;
  /** Requests that reached upstream, by model; more than one when it was tried again. */
  readonly arrivals: Map<string, number>;
  lastRecordId: number;
  worstRecoveryMs: number;
};

/** Kills the gateway again and again under load, and holds its ledger against what upstream and clients saw. */
export async function runKillRounds({ rounds, workers, seed }: KillOptions): Promise<KillFigures> {
  const simulator = await startSimulator();
  const dataDir = mkdtempSync(join(tmpdir(), "bccf-kill-"));
  const account = simulator.account(CREDENTIAL);
  // A message takes about 80 ms, so that every kill finds requests in each phase.
  account.setDefault({ kind: "auto", textDeltas: 6, eventDelayMs: 6 });
  const world: World = {
    simulator,
    account,
    dataDir,
    random: createRandom(seed),
    key: "",
    sent: 0,
    seen: new Map(),
    arrivals: new Map(),
    lastRecordId: 0,
    worstRecoveryMs: 0,
  };
  try {
    for (let round = 0; round < rounds; round += 1) await killOnce(world, workers, round);
    return await judgeTheEnd(world, rounds);
  } finally {
    await simulator.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function killOnce(world: World, workers: number, round: number): Promise<void> {
  const { random } = world;
  const gateway = await startGateway({ dataDir: world.dataDir });
  try {
    if (round === 0) {
      await gateway.addAccount("crash", { baseUrl: world.simulator.url, credential: CREDENTIAL });
      world.key = gateway.firstKey;
    } else if (round % UNCHECKED_EVERY !== 0) {
      await expectWholeLedger(world);
    }
    const life = { isOver: false };
    void gateway.exited.then(() => {
      life.isOver = true;
    });
    const load = Array.from({ length: workers }, () => sendUntilOver(world, gateway, life));
    await Bun.sleep(random.between(0, LONGEST_LIFE_MS));
    gateway.signal("SIGKILL");
    await gateway.exited;
    await Promise.all(load);
  } finally {
    gateway.signal("SIGKILL");
    await gateway.exited;
  }
  // What the dead process had sent may still be on its way.
  await world.simulator.waitFor(() => world.simulator.openConnections === 0);
  harvest(world);
}

async function sendUntilOver(world: World, { url }: GatewayProcess, life: { readonly isOver: boolean }): Promise<void> {
  const { random } = world;
  while (!life.isOver) {
    world.sent += 1;
    const model = `claude-sonnet-5-5-k${String(world.sent).padStart(6, "0")}`;
    if (random.chance(0.05)) {
      world.account.enqueue({ kind: "auto", eventDelayMs: 6, cutAfterEvents: 6 });
    }
    const leaving = random.chance(0.15) ? { leaveAfterChunks: random.between(1, 4) } : {};
    const message = { url, key: world.key, model, isStream: random.chance(0.6), ...leaving };
    world.seen.set(model, await sendMessage(message));
  }
}

function harvest(world: World): void {
  for (const record of world.simulator.requests) {
    if (record.id <= world.lastRecordId) continue;
    world.lastRecordId = record.id;
    const model = modelOf(record);
    if (model !== null) world.arrivals.set(model, (world.arrivals.get(model) ?? 0) + 1);
  }
}

/** Every request that upstream saw is there once, settled, as its client saw it. */
async function expectWholeLedger(world: World): Promise<readonly LedgerRow[]> {
  const startMs = performance.now();
  const rows = await waitForRows(world.dataDir, (found) => {
    const models = new Set(found.map(({ model }) => model));
    return (
      found.every(({ outcome }) => outcome !== "in_flight") &&
      [...world.arrivals.keys()].every((model) => models.has(model))
    );
  });
  world.worstRecoveryMs = Math.max(world.worstRecoveryMs, performance.now() - startMs);
  const doubles = [...countBy(rows, ({ model }) => model ?? "")].filter(([, count]) => count !== 1);
  expect(doubles).toEqual([]);
  expect(rows.map((row) => problemOf(world, row)).filter((problem) => problem !== null)).toEqual([]);
  expect(integrityOf(world.dataDir)).toBe("ok");
  return rows;
}

function problemOf({ seen, arrivals }: World, row: LedgerRow): string | null {
  const { model, outcome, attempts } = row;
  const view = seen.get(model ?? "");
  if (model === null || view === undefined) return `a row for ${model}, which nobody sent`;
  const facts = `${model}: ${outcome} after ${attempts} attempts, the client saw ${JSON.stringify(view)}`;
  if (!OUTCOMES[view.kind].includes(outcome)) return facts;
  if ("requestId" in view && view.requestId !== row.id) return `${facts}, the row is ${row.id}`;
  if (outcome === "interrupted") return null;
  if (attempts < (arrivals.get(model) ?? 0)) return `${facts}, upstream saw ${arrivals.get(model)}`;
  const isMetered = view.kind !== "whole" || row.output_tokens === view.outputTokens;
  return isMetered ? null : `${facts}, metered ${row.output_tokens}`;
}

async function judgeTheEnd(world: World, kills: number): Promise<KillFigures> {
  const gateway = await startGateway({ dataDir: world.dataDir });
  let rows: readonly LedgerRow[] = [];
  try {
    rows = await expectWholeLedger(world);
    const doctor = await gateway.json<{ readonly isOk: boolean }>(["doctor"]);
    expect(doctor.isOk).toBe(true);
  } finally {
    expect(await gateway.stop()).toBe(0);
  }
  expect(readdirSync(join(world.dataDir, "spool"))).toEqual([]);
  expect(await expectWholeLedger(world)).toEqual(rows);
  return {
    kills,
    clientRequests: world.sent,
    upstreamRequests: [...world.arrivals.values()].reduce((sum, count) => sum + count, 0),
    rows: rows.length,
    outcomes: Object.fromEntries(countBy(rows, ({ outcome }) => outcome)),
    worstRecoveryMs: Math.round(world.worstRecoveryMs),
  };
}
