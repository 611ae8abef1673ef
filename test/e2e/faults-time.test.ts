import { afterAll, beforeAll, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "../../sim/simulator.ts";
import { adminSocket } from "./admin-socket.ts";
import { TIME_CONFIG, TIME_ROWS } from "./faults-rows-time.ts";
import { type FaultWorld, playRow } from "./faults-run.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";

const ROW_MS = 20_000;

/** Starting and stopping processes takes its time on a busy machine. */
const HOOK_MS = 30_000;

let simulator: Simulator;
let gateway: GatewayProcess;
let world: FaultWorld;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bccf-faults-"));
  const path = join(directory, "config.json");
  writeFileSync(path, JSON.stringify(TIME_CONFIG), { mode: 0o600 });
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

test.each(TIME_ROWS.map((row) => [row.name, row] as const))("%s", (_, row) => playRow(row, world), ROW_MS);
