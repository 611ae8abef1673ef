import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { adminSocket } from "./admin-socket.ts";
import { LIMIT_ROWS } from "./faults-rows-limits.ts";
import { REFUSAL_ROWS } from "./faults-rows-refusals.ts";
import { STREAM_ROWS } from "./faults-rows-streams.ts";
import { WIRE_ROWS } from "./faults-rows-wire.ts";
import { type FaultWorld, playRow } from "./faults-run.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

const ROW_MS = 15_000;
const ROWS = [...LIMIT_ROWS, ...REFUSAL_ROWS, ...STREAM_ROWS, ...WIRE_ROWS];

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;
let gateway: GatewayProcess;
let world: FaultWorld;
let directory: string;

/** The rows say which account is asked first; and so many failures in a row would empty the retry budget. */
const TABLE_CONFIG = { selection: { strategy: "priority" }, retry: { budgetRatio: 10 } };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bccf-faults-"));
  const path = join(directory, "config.json");
  writeFileSync(path, JSON.stringify(TABLE_CONFIG), { mode: 0o600 });
  simulator = await startSimulator();
  gateway = await startGateway({ args: ["--config", path] });
  const { key } = await gateway.createKey("faults");
  world = { simulator, admin: adminSocket(gateway), port: Number(new URL(gateway.url).port), key };
}, HOOK_MS);

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  rmSync(directory, { recursive: true, force: true });
}, HOOK_MS);

test("no row stands twice", () => {
  const names = ROWS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});

test.each(ROWS.map((row) => [row.name, row] as const))("%s", (_, row) => playRow(row, world), ROW_MS);
