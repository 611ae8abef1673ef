import { expect } from "bun:test";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { type CliResult, type GatewayProcess, startGateway } from "./gateway-process.ts";
import { countBy, integrityOf, waitForRows } from "./ledger-rows.ts";
import { sendMessage } from "./message-client.ts";

/** A way in which the database or the disk goes away for a while, under a running gateway. */
export type Outage = {
  begin(dataDir: string): void;
  end(dataDir: string): void;
  /** What the operator must read in the log while it lasts. */
  readonly warning: RegExp;
  /** A small change may find room in blocks that the database has already: it is then done, and not refused. */
  readonly mayTakeChanges?: boolean;
};

export type OutageOptions = {
  readonly outage: Outage;
  /** It lasts longer while an admin command has no answer. */
  readonly outageMs: number;
  readonly dataDir: string;
};

export type OutageFigures = {
  readonly outageMs: number;
  readonly requestsBefore: number;
  readonly requestsDuring: number;
  readonly requestsAfter: number;
  readonly p50BeforeMs: number;
  readonly p50DuringMs: number;
  readonly worstBeforeMs: number;
  readonly worstDuringMs: number;
  readonly adminAnswerMs: number;
  /** From the end of the outage to the last row. */
  readonly catchUpMs: number;
};

const CREDENTIAL = "sk-sim-outage";
const WORKERS = 4;
const PAUSE_MS = 10;
const CALM_MS = 400;
const MAX_LATENCY_MS = 1_000;
/** The control plane gives up on a locked database after 5 s; a CLI call takes a moment to start. */
const MAX_ADMIN_MS = 10_000;
const CATCH_UP_MS = 20_000;

type Phase = "before" | "during" | "after";
type Traffic = {
  phase: Phase;
  isOver: boolean;
  sent: number;
  readonly latenciesMs: Record<Phase, number[]>;
  readonly failures: string[];
};

/** Takes the storage away under steady traffic: every request is answered, and every row comes in the end. */
export async function runOutage(options: OutageOptions): Promise<OutageFigures> {
  const simulator = await startSimulator();
  const gateway = await startGateway({ dataDir: options.dataDir });
  try {
    return await outageUnder(simulator, gateway, options);
  } finally {
    gateway.signal("SIGKILL");
    await gateway.exited;
    await simulator.stop();
  }
}

async function outageUnder(
  simulator: Simulator,
  gateway: GatewayProcess,
  { outage, outageMs, dataDir }: OutageOptions,
): Promise<OutageFigures> {
  simulator.account(CREDENTIAL);
  await gateway.addAccount("outage", { baseUrl: simulator.url, credential: CREDENTIAL });
  // Only to be paused while the storage is away.
  await gateway.addAccount("spare", { baseUrl: simulator.url, credential: CREDENTIAL, priority: 99 });
  const traffic: Traffic = {
    phase: "before",
    isOver: false,
    sent: 0,
    latenciesMs: { before: [], during: [], after: [] },
    failures: [],
  };
  const workers = Array.from({ length: WORKERS }, () => sendSteadily(gateway, traffic));
  await Bun.sleep(CALM_MS);
  outage.begin(dataDir);
  traffic.phase = "during";
  const [created, paused] = await Promise.all([
    timed(gateway.cli(["key", "create", "in-outage"])),
    timed(gateway.cli(["account", "pause", "spare"])),
    Bun.sleep(outageMs),
  ]).finally(() => outage.end(dataDir));
  traffic.phase = "after";
  const endedAtMs = performance.now();
  await Bun.sleep(CALM_MS);
  traffic.isOver = true;
  await Promise.all(workers);
  expect(traffic.failures).toEqual([]);
  const rows = await waitForRows(
    dataDir,
    (found) => found.filter(({ outcome }) => outcome === "completed").length >= traffic.sent,
    CATCH_UP_MS,
  );
  const catchUpMs = performance.now() - endedAtMs - CALM_MS;
  expect(rows.length).toBe(traffic.sent);
  expect([...countBy(rows, ({ model }) => model ?? "")].filter(([, count]) => count !== 1)).toEqual([]);
  expect(gateway.output()).toMatch(outage.warning);
  await expectKept(gateway, created);
  expectRefused(
    outage.mayTakeChanges === true ? [created, paused].filter(({ code }) => code !== 0) : [created, paused],
  );
  await expectHealthy(gateway, dataDir);
  return figuresOf(traffic, { outageMs, catchUpMs, adminAnswerMs: Math.max(created.tookMs, paused.tookMs) });
}

async function sendSteadily(gateway: GatewayProcess, traffic: Traffic): Promise<void> {
  const { url, firstKey: key } = gateway;
  while (!traffic.isOver) {
    traffic.sent += 1;
    const model = `claude-sonnet-5-5-o${String(traffic.sent).padStart(6, "0")}`;
    const { phase } = traffic;
    const startMs = performance.now();
    const seen = await sendMessage({ url, key, model, isStream: traffic.sent % 2 === 0 });
    const tookMs = performance.now() - startMs;
    traffic.latenciesMs[phase].push(tookMs);
    if (seen.kind !== "whole") traffic.failures.push(`${phase} ${model}: ${JSON.stringify(seen)}`);
    if (phase !== "before" && tookMs > MAX_LATENCY_MS)
      traffic.failures.push(`${phase} ${model}: took ${Math.round(tookMs)} ms`);
    await Bun.sleep(PAUSE_MS);
  }
}

type Timed = CliResult & { readonly tookMs: number };

async function timed(answer: Promise<CliResult>): Promise<Timed> {
  const startMs = performance.now();
  return { ...(await answer), tookMs: performance.now() - startMs };
}

function expectRefused(commands: readonly Timed[]): void {
  for (const { tookMs, code, stderr } of commands) {
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: Cannot (?!answer: the gateway failed)/),
    });
    expect(tookMs).toBeLessThan(MAX_ADMIN_MS);
  }
}

/** What was said to be done is there, and what was refused is not. */
async function expectKept(gateway: GatewayProcess, created: Timed): Promise<void> {
  const names = (await gateway.json<readonly { readonly name: string }[]>(["key", "list"])).map(({ name }) => name);
  expect(names.includes("in-outage")).toBe(created.code === 0);
}

/** Afterwards everything works as before, and the process ends well. */
async function expectHealthy(gateway: GatewayProcess, dataDir: string): Promise<void> {
  expect((await gateway.cli(["key", "create", "afterwards"])).code).toBe(0);
  expect((await gateway.cli(["account", "resume", "spare"])).code).toBe(0);
  expect((await gateway.cli(["doctor"])).stdout).not.toContain("FAIL");
  expect(integrityOf(dataDir)).toBe("ok");
  expect(await gateway.stop()).toBe(0);
  expect(integrityOf(dataDir)).toBe("ok");
}

function figuresOf(
  { latenciesMs }: Traffic,
  { outageMs, catchUpMs, adminAnswerMs }: Pick<OutageFigures, "outageMs" | "catchUpMs" | "adminAnswerMs">,
): OutageFigures {
  const at = (values: readonly number[], ratio: number) =>
    Number((values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * ratio)] ?? 0).toFixed(1));
  return {
    outageMs,
    requestsBefore: latenciesMs.before.length,
    requestsDuring: latenciesMs.during.length,
    requestsAfter: latenciesMs.after.length,
    p50BeforeMs: at(latenciesMs.before, 0.5),
    p50DuringMs: at(latenciesMs.during, 0.5),
    worstBeforeMs: at(latenciesMs.before, 1),
    worstDuringMs: at(latenciesMs.during, 1),
    adminAnswerMs: Math.round(adminAnswerMs),
    catchUpMs: Math.max(0, Math.round(catchUpMs)),
  };
}
