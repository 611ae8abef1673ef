import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CrowdMode, type CrowdReport, descriptorsOf, gatherCrowd, rssMib } from "./crowd.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { type HealthyFigures, runHealthyClient } from "./healthy-client.ts";

/** The gateway before a simulator that is a process of its own, whose streams say something every `eventDelayMs`. */
export interface CrowdStage {
  readonly gateway: GatewayProcess;
  readonly key: string;
  run(mode: CrowdMode, connections: number, healthyRequests: number): Promise<CrowdFigures>;
  stop(): Promise<number | null>;
}

export type CrowdFigures = {
  readonly crowd: CrowdReport;
  readonly healthy: HealthyFigures;
  readonly rssMib: number;
  readonly descriptors: number;
};

const CREDENTIAL = "sk-sim-crowd";

export async function startCrowdStage(eventDelayMs: number): Promise<CrowdStage> {
  const folder = mkdtempSync(join(tmpdir(), "bccf-crowd-"));
  const upstream = await startSimulatorProcess(folder, eventDelayMs);
  const gateway = await startGateway();
  await gateway.addAccount("crowd", { baseUrl: upstream.url, credential: CREDENTIAL });
  const { firstKey: key } = gateway;
  return {
    gateway,
    key,
    async run(mode, connections, healthyRequests) {
      const crowd = await gatherCrowd({ mode, port: Number(new URL(gateway.url).port), key, connections });
      try {
        const healthy = await runHealthyClient({ url: gateway.url, key, requests: healthyRequests });
        const report = await crowd.report();
        return { crowd: report, healthy, rssMib: rssMib(gateway.pid), descriptors: descriptorsOf(gateway.pid) };
      } finally {
        await crowd.stop();
      }
    },
    async stop() {
      const code = await gateway.stop();
      await upstream.stop();
      rmSync(folder, { recursive: true });
      return code;
    },
  };
}

async function startSimulatorProcess(folder: string, eventDelayMs: number) {
  const script = join(folder, "script.json");
  // Longer than any test takes.
  const step = { kind: "auto", textDeltas: 1_000, text: "word ".repeat(1_000), eventDelayMs };
  writeFileSync(script, JSON.stringify({ accounts: [{ credential: CREDENTIAL, default: step }] }));
  const main = join(import.meta.dir, "..", "..", "sim", "main.ts");
  const child = Bun.spawn([process.execPath, main, "--port", "0", "--counts", "--script", script], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const url = /on (http:\/\/\S+)/.exec(new TextDecoder().decode(value))?.[1];
  if (url === undefined) throw new Error("Cannot start the simulator as a process");
  return {
    url,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
